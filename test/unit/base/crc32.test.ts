/**
 * Goal: the CRC is the common one. Method: its published check value, a bit-by-bit one for
 * all lengths and alignments.
 */

import test from 'ava';
import { crc32 } from '../../../lib/base/crc32.js';

function bitwise(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ~crc >>> 0;
}

test('the check value of CRC-32 is met', (t) => {
  t.is(crc32(new TextEncoder().encode('123456789')), 0xcbf43926);
  t.is(crc32(new Uint8Array(0)), 0);
});

test('eight bytes a round agree with one bit at a time (all lengths and alignments)', (t) => {
  const bytes = Uint8Array.from({ length: 64 }, (_, index) => (index * 167 + 13) ^ (index >> 2));
  for (let from = 0; from < 9; from++) {
    for (let to = from; to <= bytes.length; to++) {
      const part = bytes.subarray(from, to);
      t.is(crc32(part), bitwise(part), `${from}..${to}`);
    }
  }
});

test('a CRC continues over pieces', (t) => {
  const bytes = Uint8Array.from({ length: 40 }, (_, index) => index * 7);
  for (let cut = 0; cut <= 40; cut++) {
    t.is(crc32(bytes.subarray(cut), crc32(bytes.subarray(0, cut))), crc32(bytes));
  }
});
