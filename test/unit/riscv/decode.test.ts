/**
 * Goal: every encoding is an instruction or illegal, and its fields are those of the specification.
 * Method: all 16-bit encodings, four million 32-bit ones; fields compared with a slow reading.
 */

import test from 'ava';
import { decode16, decode32, isCompressed, type Decoded } from '../../../lib/riscv/decode.js';
import { COMPRESSED, INSTRUCTIONS } from '../../../lib/riscv/table/index.js';
import { Random } from '../../support/random.js';

/** What objdump takes as well, which disassemble.test.ts compares one by one. */
const LEGAL_HALVES = 46_743;

function inRange({ rd, rs1, rs2, rs3, rm, imm }: Decoded): boolean {
  const registers = [rd, rs1, rs2, rs3].every((index) => index >= 0 && index < 32);
  return registers && rm >= 0 && rm < 8 && Number.isInteger(imm) && (imm | 0) === imm;
}

test('each 16-bit encoding has at most one meaning that is taken, or is illegal', (t) => {
  let legal = 0;
  for (let half = 0; half < 65_536; half++) {
    if (!isCompressed(half)) continue;
    const decoded = decode16(half);
    if (decoded === null) continue;
    legal++;
    if (!inRange(decoded) || decoded.bytes !== 2) t.fail(`0x${half.toString(16)}`);
  }
  t.is(legal, LEGAL_HALVES);
});

test('reserved and famous 16-bit encodings', (t) => {
  for (const half of [0x0000, 0x8000, 0x2001, 0x6001, 0x6101, 0x4002, 0x6002, 0x8002, 0x9c41]) {
    t.is(decode16(half), null, `0x${half.toString(16)}`);
  }
  for (const [half, name] of [
    [0x0001, 'addi'],
    [0x8082, 'jalr'],
    [0x9002, 'ebreak'],
  ] as const) {
    t.is(decode16(half)?.instruction.name, name);
  }
});

test('four million 32-bit encodings decode by their row, or are illegal', (t) => {
  const random = new Random(1);
  let legal = 0;
  for (let count = 0; count < 2 ** 22; count++) {
    const word = (random.u32() | 3) >>> 0;
    const decoded = decode32(word);
    if (decoded === null) continue;
    legal++;
    const { mask, match } = decoded.instruction;
    if ((word & mask) >>> 0 !== match || !inRange(decoded)) t.fail(`0x${word.toString(16)}`);
  }
  t.true(legal > 2 ** 18, `${legal} are instructions`);
});

test('an encoding of 48 bits and more is illegal', (t) => {
  const random = new Random(2);
  for (let count = 0; count < 10_000; count++) t.is(decode32((random.u32() | 0x1f) >>> 0), null);
});

test('no two rows of the table take the same word', (t) => {
  for (const [index, row] of INSTRUCTIONS.entries()) {
    for (const other of INSTRUCTIONS.slice(index + 1)) {
      const both = row.mask & other.mask;
      if ((row.match & both) === (other.match & both)) t.fail(`${row.name} and ${other.name}`);
    }
  }
  t.pass();
});

/** Bits of an immediate by their place in the word, highest first, as the manual draws them. */
const DRAWN: Readonly<Record<string, readonly (readonly [bit: number, at: number])[]>> = {
  I: Array.from({ length: 12 }, (_, bit) => [bit, 20 + bit] as const),
  S: Array.from({ length: 12 }, (_, bit) => [bit, bit < 5 ? 7 + bit : 20 + bit] as const),
  B: [
    ...Array.from({ length: 4 }, (_, bit) => [1 + bit, 8 + bit] as const),
    ...Array.from({ length: 6 }, (_, bit) => [5 + bit, 25 + bit] as const),
    ...([
      [11, 7],
      [12, 31],
    ] as const),
  ],
  U: Array.from({ length: 20 }, (_, bit) => [12 + bit, 12 + bit] as const),
  J: [
    ...Array.from({ length: 10 }, (_, bit) => [1 + bit, 21 + bit] as const),
    ...Array.from({ length: 8 }, (_, bit) => [12 + bit, 12 + bit] as const),
    ...([
      [11, 20],
      [20, 31],
    ] as const),
  ],
};

test('immediates have their bits where the manual draws them, and are sign-extended', (t) => {
  const random = new Random(3);
  for (const row of INSTRUCTIONS) {
    const places = DRAWN[row.format];
    if (places === undefined) continue;
    const top = Math.max(...places.map(([bit]) => bit));
    for (let count = 0; count < 200; count++) {
      const word = ((random.u32() & ~row.mask) | row.match) >>> 0;
      let expected = 0n;
      for (const [bit, at] of places) expected |= BigInt((word >>> at) & 1) << BigInt(bit);
      t.is(BigInt(decode32(word)?.imm ?? NaN), BigInt.asIntN(top + 1, expected), row.name);
    }
  }
});

test('a compressed form decodes to its base instruction, in all its operands', (t) => {
  const seen = new Set<string>();
  for (let half = 0; half < 65_536; half++) {
    if (!isCompressed(half)) continue;
    const form = COMPRESSED.find(({ mask, match }) => (half & mask) === match);
    const decoded = decode16(half);
    if (decoded === null || form === undefined) continue;
    seen.add(form.name);
    if (decoded.instruction.name !== form.base) t.fail(`0x${half.toString(16)}`);
  }
  t.is(seen.size, COMPRESSED.length);
});
