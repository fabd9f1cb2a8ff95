/**
 * Goal: what is written is read back, and hostile input is refused without a read past the end.
 * Method: the borders of each encoding, every cut of a written text.
 */

import test from 'ava';
import { ByteReader, ByteWriter, clearBytes, DecodeError } from '../../../lib/base/bytes.js';

const REFUSED = { instanceOf: DecodeError };
const MAX = 2n ** 64n - 1n;

/** Where an encoding grows by a byte, and where numbers stop being 32-bit or exact. */
const BORDERS = [7n, 14n, 21n, 28n, 31n, 32n, 35n, 53n, 63n]
  .flatMap((bits) => [(1n << bits) - 1n, 1n << bits])
  .concat([0n, MAX]);

test('varints are read back, written as bigint or as number', (t) => {
  const out = new ByteWriter(1);
  for (const value of BORDERS) {
    out.varint(value);
    if (value <= BigInt(Number.MAX_SAFE_INTEGER)) out.varint(Number(value));
  }
  const input = new ByteReader(out.finish());
  for (const value of BORDERS) {
    t.is(input.varint(), value);
    if (value <= BigInt(Number.MAX_SAFE_INTEGER)) t.is(input.varint(), value);
  }
  t.is(input.remaining, 0);
});

test('fixed-width integers and blocks are read back', (t) => {
  const out = new ByteWriter(1);
  out.u8(255);
  out.u32(0xfedcba98);
  out.u64(MAX);
  out.block(new Uint8Array([1, 2, 3]));
  out.raw(new Uint8Array([9]));
  const input = new ByteReader(out.finish());
  t.is(input.u8(), 255);
  t.is(input.u32(), 0xfedcba98);
  t.is(input.u64(), MAX);
  t.deepEqual(input.block(3, 'bytes'), new Uint8Array([1, 2, 3]));
  t.deepEqual(input.raw(1), new Uint8Array([9]));
  t.is(input.remaining, 0);
});

test('integers are little-endian', (t) => {
  const out = new ByteWriter();
  out.u32(0x01020304);
  t.deepEqual(out.finish(), new Uint8Array([4, 3, 2, 1]));
});

test('a read past the end is refused and moves nothing', (t) => {
  const input = new ByteReader(new Uint8Array([1, 2, 3]));
  t.throws(() => input.u32(), REFUSED);
  t.throws(() => input.u64(), REFUSED);
  t.throws(() => input.raw(4), REFUSED);
  t.is(input.position, 0);
  t.is(input.remaining, 3);
});

test('varints over 64 bits, over ten bytes or cut short are refused', (t) => {
  const ones = new Uint8Array(10).fill(0xff);
  for (const last of [0x02, 0x7f, 0x80]) {
    const bytes = ones.slice();
    bytes[9] = last;
    t.throws(() => new ByteReader(bytes).varint(), REFUSED, `last byte ${last}`);
  }
  t.throws(() => new ByteReader(ones.subarray(0, 4)).varint(), REFUSED);
});

test('a count over its limit is refused before anything is allocated', (t) => {
  const out = new ByteWriter();
  out.varint(MAX);
  t.throws(() => new ByteReader(out.finish()).block(1000, 'bytes'), {
    instanceOf: DecodeError,
    message: /bytes 18446744073709551615 over the limit 1000/,
  });
});

test('a reader sees only its part of a larger buffer, and gives copies', (t) => {
  const whole = new Uint8Array([1, 2, 3, 4, 5]);
  const input = new ByteReader(whole.subarray(1, 4));
  const copy = input.raw(2);
  whole[1] = 99;
  t.deepEqual(copy, new Uint8Array([2, 3]));
  t.is(input.u8(), 4);
  t.throws(() => input.u8(), REFUSED);
});

test('all bytes of a view are cleared, and none beside it (several lengths)', (t) => {
  for (const length of [0, 1, 65_535, 65_536, 65_537, 200_000]) {
    const all = new Uint8Array(new SharedArrayBuffer(length + 2));
    for (let index = 0; index < all.length; index++) all[index] = 7;
    clearBytes(all.subarray(1, length + 1));
    t.true(all.subarray(1, length + 1).every((byte) => byte === 0));
    t.deepEqual([all[0], all[length + 1]], [7, 7]);
  }
});
