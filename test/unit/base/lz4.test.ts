/**
 * Goal: what is compressed comes back, from the lz4 program too, and what is no block is a
 * DecodeError.
 * Method: bytes of every kind of repetition; lz4's legacy frames, which hold one block each.
 */

import { spawnSync } from 'node:child_process';
import test from 'ava';
import { DecodeError } from '../../../lib/base/bytes.js';
import { compress, decompress } from '../../../lib/base/lz4.js';
import { Random } from '../../support/random.js';

/** A mixture of noise, runs and copies of what came before. */
function mixture(random: Random, length: number): Uint8Array {
  const bytes: number[] = [];
  while (bytes.length < length) {
    const count = 1 + random.below(random.below(10) === 0 ? 2_000 : 40);
    const kind = random.below(3);
    const back = 1 + random.below(Math.max(1, bytes.length));
    const value = random.below(256);
    for (let index = 0; index < count; index++) {
      if (kind === 0) bytes.push(random.below(256));
      else if (kind === 1) bytes.push(value);
      else bytes.push(bytes[bytes.length - back] ?? 0);
    }
  }
  return Uint8Array.from(bytes.slice(0, length));
}

function mixtures(count: number): Uint8Array[] {
  const random = new Random(11);
  return Array.from({ length: count }, (_, index) =>
    mixture(random, index < 300 ? index : random.below(100_000)),
  );
}

test('what is compressed comes back', (t) => {
  let count = 0;
  for (const bytes of mixtures(600)) {
    const block = compress(bytes);
    if (block === null) continue;
    count += 1;
    t.true(block.length < bytes.length);
    if (Buffer.compare(decompress(block, bytes.length), bytes) !== 0)
      t.fail(`${bytes.length} bytes`);
  }
  t.true(count > 300, `${count} were compressed`);
});

test('noise is not compressed, and repetition nearly vanishes', (t) => {
  t.is(compress(new Random(3).bytes(60_000)), null);
  const block = compress(new Uint8Array(60_000));
  t.true(block !== null && block.length < 300);
});

const MAGIC = 0x18_4c_21_02;

function legacyFrame(block: Uint8Array): Buffer {
  const head = Buffer.alloc(8);
  head.writeUInt32LE(MAGIC, 0);
  head.writeUInt32LE(block.length, 4);
  return Buffer.concat([head, block]);
}

test('the lz4 program reads our blocks, and we read those of it', (t) => {
  if (spawnSync('lz4', ['--version']).error !== undefined) {
    t.log('left out: lz4 is not installed (Debian: lz4)');
    t.pass();
    return;
  }
  for (const bytes of mixtures(340).slice(290)) {
    const block = compress(bytes);
    if (block !== null) {
      const theirs = spawnSync('lz4', ['-d', '-c'], { input: legacyFrame(block) });
      t.true(theirs.stdout.equals(bytes), theirs.stderr.toString());
    }
    const frame = spawnSync('lz4', ['-l', '-c'], { input: bytes }).stdout;
    t.is(frame.readUInt32LE(0), MAGIC);
    const length = frame.readUInt32LE(4);
    t.is(frame.length, length + 8);
    t.deepEqual(decompress(new Uint8Array(frame.subarray(8)), bytes.length), bytes);
  }
});

test('what is no block is a DecodeError, and nothing else', (t) => {
  const random = new Random(12);
  const bytes = mixture(random, 3_000);
  const block = compress(bytes);
  if (block === null) return t.fail('a mixture is compressed');
  const faults: (() => Uint8Array)[] = [
    () => decompress(block, bytes.length - 1),
    () => decompress(block, bytes.length + 1),
    () => decompress(new Uint8Array(0), 0),
    // A match before anything was written, and one with an offset of zero.
    () => decompress(Uint8Array.of(0x00, 1, 0, 0), 4),
    () => decompress(Uint8Array.of(0x10, 7, 0, 0, 0), 5),
  ];
  for (const fault of faults) t.throws(fault, { instanceOf: DecodeError });
  for (let cut = 0; cut < block.length; cut++) {
    t.throws(() => decompress(block.subarray(0, cut), bytes.length), { instanceOf: DecodeError });
  }
  for (let round = 0; round < 3_000; round++) {
    const damaged = block.slice();
    damaged[random.below(damaged.length)] = random.below(256);
    try {
      decompress(damaged, bytes.length);
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
    }
  }
});
