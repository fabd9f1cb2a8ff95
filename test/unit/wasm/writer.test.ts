/**
 * Goal: the encodings of the binary format, at the borders where they grow.
 * Method: LEB128 written and read by a slow second reader; bytes from the standard's examples.
 */

import test from 'ava';
import { Writer } from '../../../lib/wasm/writer.js';
import { Random } from '../../support/random.js';

function written(fill: (writer: Writer) => void): number[] {
  const writer = new Writer();
  fill(writer);
  return [...writer.finish()];
}

/** The value, and how many bytes it took; sign-extends from the last byte if `isSigned`. */
function read(bytes: readonly number[], isSigned: boolean): bigint {
  let value = 0n;
  let bits = 0n;
  for (const byte of bytes) {
    value |= BigInt(byte & 0x7f) << bits;
    bits += 7n;
  }
  return isSigned ? BigInt.asIntN(Number(bits), value) : value;
}

const isWhole = (bytes: readonly number[]): boolean =>
  bytes.every((byte, index) => byte >= 0x80 === index < bytes.length - 1);

const BORDERS = [0, 1, 6, 7, 13, 14, 20, 21, 27, 28, 30, 31].map((bits) => 2 ** bits);
const NUMBERS = BORDERS.flatMap((border) => [border - 1, border, border + 1, -border, -border - 1]);

test('unsigned LEB128 is whole, shortest, and read back', (t) => {
  for (const number of [...NUMBERS, 2 ** 32 - 1]) {
    const bytes = written((writer) => writer.u32(number));
    t.is(read(bytes, false), BigInt(number >>> 0), `${number}`);
    t.true(isWhole(bytes));
    t.is(bytes.length, Math.max(1, Math.ceil((32 - Math.clz32(number)) / 7)));
  }
});

test('signed LEB128 of 32 and 64 bits is whole and read back', (t) => {
  for (const number of NUMBERS) {
    const value = BigInt.asIntN(32, BigInt(number));
    const bytes = written((writer) => writer.s32(number));
    t.is(read(bytes, true), value, `${number}`);
    t.deepEqual(
      written((writer) => writer.s64(value)),
      bytes,
    );
    t.true(isWhole(bytes));
  }
  const random = new Random(1);
  for (let bits = 0n; bits < 64n; bits++) {
    for (const value of [1n << bits, (1n << bits) - 1n, -(1n << bits), random.u64() >> bits]) {
      const bytes = written((writer) => writer.s64(value));
      t.is(read(bytes, true), BigInt.asIntN(64, value), `${value}`);
      t.true(isWhole(bytes) && bytes.length <= 10);
    }
  }
});

test('the examples of the standard', (t) => {
  t.deepEqual(
    written((writer) => writer.u32(624_485)),
    [0xe5, 0x8e, 0x26],
  );
  t.deepEqual(
    written((writer) => writer.s32(-123_456)),
    [0xc0, 0xbb, 0x78],
  );
  t.deepEqual(written((writer) => writer.s64(-(1n << 63n))).length, 10);
});

test('names and sections carry their length', (t) => {
  t.deepEqual(
    written((writer) => writer.name('env')),
    [3, 0x65, 0x6e, 0x76],
  );
  const section = written((writer) => writer.section(5, (body) => body.raw(new Uint8Array(200))));
  t.deepEqual(section.slice(0, 3), [5, 0xc8, 1]);
  t.is(section.length, 203);
});

test('doubles are little-endian, and any length fits', (t) => {
  t.deepEqual(
    written((writer) => writer.f64(1)),
    [0, 0, 0, 0, 0, 0, 0xf0, 0x3f],
  );
  const many = written((writer) => {
    for (let count = 0; count < 10_000; count++) writer.u8(count);
  });
  t.true(many.every((byte, index) => byte === (index & 255)));
});
