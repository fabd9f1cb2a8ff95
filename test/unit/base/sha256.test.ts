/**
 * Goal: the hash is SHA-256, however its input is cut.
 * Method: the host's implementation as the second opinion, at every length around the block size.
 */

import { createHash } from 'node:crypto';
import test from 'ava';
import { Sha256 } from '../../../lib/base/sha256.js';
import { Random } from '../../support/random.js';

const random = new Random(256);
const hostHash = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

test('the examples of the standard', (t) => {
  const hash = (text: string): string => new Sha256().update(new TextEncoder().encode(text)).hex();
  t.is(hash('abc'), 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
  t.is(hash(''), 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855');
});

test('every length up to three blocks hashes as on the host', (t) => {
  for (let length = 0; length <= 200; length++) {
    const bytes = random.bytes(length);
    t.is(new Sha256().update(bytes).hex(), hostHash(bytes), `${length} bytes`);
  }
});

test('cuts of the input do not matter', (t) => {
  const bytes = random.bytes(5000);
  for (let round = 0; round < 50; round++) {
    const hash = new Sha256();
    for (let at = 0; at < bytes.length;) {
      const length = random.below(200);
      hash.update(bytes.subarray(at, at + length));
      at += length;
    }
    t.is(hash.hex(), hostHash(bytes));
  }
});
