/**
 * Goal: the hash is the one it claims to be, depends on the bytes alone, and resumes.
 * Method: the published check value of the algorithm's test suite; random cuts of random bytes.
 */

import test from 'ava';
import { Hash64, hash64 } from '../../../lib/base/hash.js';

function words(bytes: Uint8Array, seed: number): Uint8Array {
  const hash = new Hash64(seed);
  hash.update(bytes);
  const out = new Uint8Array(16);
  const view = new DataView(out.buffer);
  hash.digestWords().forEach((word, index) => view.setUint32(index * 4, word, true));
  return out;
}

function ramp(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, index) => (index * 2654435761) >>> 13);
}

test('the hash is MurmurHash3 x86_128 (verification value of its own test suite)', (t) => {
  // The suite hashes the keys {}, {0}, {0,1}, .. with seed 256 - length, then hashes the hashes.
  const all = new Uint8Array(256 * 16);
  for (let length = 0; length < 256; length++) {
    const key = Uint8Array.from({ length }, (_, index) => index);
    all.set(words(key, 256 - length), length * 16);
  }
  t.is(new DataView(words(all, 0).buffer).getUint32(0, true), 0xb3ece62a);
});

test('the digest does not depend on how the bytes are cut', (t) => {
  const bytes = ramp(100);
  const whole = hash64(bytes);
  for (let first = 0; first <= 100; first++) {
    for (const second of [first, Math.min(100, first + 7), 100]) {
      const hash = new Hash64();
      hash.update(bytes.subarray(0, first));
      hash.update(bytes.subarray(first, second));
      hash.digest();
      hash.update(bytes.subarray(second));
      t.is(hash.digest(), whole, `cut at ${first} and ${second}`);
    }
  }
});

test('a saved state goes on as if nothing had happened', (t) => {
  const bytes = ramp(77);
  for (let cut = 0; cut <= 77; cut++) {
    const hash = new Hash64();
    hash.update(bytes.subarray(0, cut));
    const resumed = Hash64.resume(hash.save());
    t.deepEqual(resumed.save(), hash.save());
    resumed.update(bytes.subarray(cut));
    t.is(resumed.digest(), hash64(bytes));
  }
});

test('equal bytes taken in different pieces give equal saved states', (t) => {
  const bytes = ramp(50);
  const whole = new Hash64();
  whole.update(bytes);
  const pieces = new Hash64();
  for (let at = 0; at < 50; at += 7) pieces.update(bytes.subarray(at, at + 7));
  t.deepEqual(pieces.save(), whole.save());
});

test('every single flipped bit changes the digest', (t) => {
  const bytes = ramp(67);
  const seen = new Set([hash64(bytes)]);
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const flipped = bytes.slice();
    flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    seen.add(hash64(flipped));
  }
  t.is(seen.size, bytes.length * 8 + 1);
});
