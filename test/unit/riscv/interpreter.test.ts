/**
 * Goal: integer instructions compute what the unprivileged specification says, x0 stays zero, and
 * decoded slots say what was decoded.
 * Method: a second definition with big integers, on values at the borders, in both engines.
 */

import test from 'ava';
import { decode16, decode32 } from '../../../lib/riscv/decode.js';
import {
  COMPRESSED_FLAG,
  OP_COUNT,
  OP_ILLEGAL,
  OP_NOP,
  packSlot,
} from '../../../lib/riscv/interpreter/slots.js';
import { INSTRUCTIONS } from '../../../lib/riscv/table/index.js';
import { assemble } from '../../support/assembler.js';
import { COMPILER, Guest, INTERPRETER, THOROUGH } from '../../support/program.js';
import { Random } from '../../support/random.js';

const s64 = (value: bigint): bigint => BigInt.asIntN(64, value);
const u64 = (value: bigint): bigint => BigInt.asUintN(64, value);
const s32 = (value: bigint): bigint => BigInt.asIntN(32, value);
const u32 = (value: bigint): bigint => BigInt.asUintN(32, value);
const flag = (condition: boolean): bigint => (condition ? 1n : 0n);

const divide = (a: bigint, b: bigint): bigint => (b === 0n ? -1n : a / b);
const remainder = (a: bigint, b: bigint): bigint => (b === 0n ? a : a % b);

/** Results of register instructions; `a` and `b` are unsigned 64-bit values. */
const MODEL: Readonly<Record<string, (a: bigint, b: bigint) => bigint>> = {
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  sll: (a, b) => a << (b & 63n),
  slt: (a, b) => flag(s64(a) < s64(b)),
  sltu: (a, b) => flag(a < b),
  xor: (a, b) => a ^ b,
  srl: (a, b) => a >> (b & 63n),
  sra: (a, b) => s64(a) >> (b & 63n),
  or: (a, b) => a | b,
  and: (a, b) => a & b,
  addw: (a, b) => s32(a + b),
  subw: (a, b) => s32(a - b),
  sllw: (a, b) => s32(u32(a) << (b & 31n)),
  srlw: (a, b) => s32(u32(a) >> (b & 31n)),
  sraw: (a, b) => s32(a) >> (b & 31n),
  mul: (a, b) => a * b,
  mulh: (a, b) => (s64(a) * s64(b)) >> 64n,
  mulhsu: (a, b) => (s64(a) * b) >> 64n,
  mulhu: (a, b) => (a * b) >> 64n,
  div: (a, b) => divide(s64(a), s64(b)),
  divu: (a, b) => divide(a, b),
  rem: (a, b) => remainder(s64(a), s64(b)),
  remu: (a, b) => remainder(a, b),
  mulw: (a, b) => s32(a * b),
  divw: (a, b) => s32(divide(s32(a), s32(b))),
  divuw: (a, b) => s32(divide(u32(a), u32(b))),
  remw: (a, b) => s32(remainder(s32(a), s32(b))),
  remuw: (a, b) => s32(remainder(u32(a), u32(b))),
};
/** Instructions with a constant, by the register instruction that they follow. */
const WITH_CONSTANT: Readonly<Record<string, string>> = {
  ...{ addi: 'add', slti: 'slt', sltiu: 'sltu', xori: 'xor', ori: 'or', andi: 'and' },
  ...{ addiw: 'addw', slli: 'sll', srli: 'srl', srai: 'sra' },
  ...{ slliw: 'sllw', srliw: 'srlw', sraiw: 'sraw' },
};
const BRANCHES: Readonly<Record<string, (a: bigint, b: bigint) => boolean>> = {
  beq: (a, b) => a === b,
  bne: (a, b) => a !== b,
  blt: (a, b) => s64(a) < s64(b),
  bge: (a, b) => s64(a) >= s64(b),
  bltu: (a, b) => a < b,
  bgeu: (a, b) => a >= b,
};

const BORDERS = [
  0n,
  1n,
  -1n,
  1n << 31n,
  (1n << 31n) - 1n,
  -(1n << 31n),
  1n << 63n,
  (1n << 63n) - 1n,
];
const random = new Random(9);
const VALUES: readonly bigint[] = [
  ...[...BORDERS, 1n << 32n, 63n, 64n, -5n].map(u64),
  ...Array.from({ length: 6 }, () => random.u64()),
];
const PAIRS = VALUES.flatMap((a) => VALUES.map((b) => [a, b] as const));

/** All pairs as data, a loop over them, one result each. */
function loopOver(instruction: string): ReturnType<typeof assemble> {
  return assemble(`
    la s0,data
    la s1,results
  loop:
    ld a0,0(s0)
    ld a1,8(s0)
    ${instruction}
    sd a2,0(s1)
    addi s0,s0,16
    addi s1,s1,8
    la t0,results
    bltu s0,t0,loop
  done: j done
    .org 0x1000
  data:
    ${PAIRS.map(([a, b]) => `.dword ${a} ${b}`).join('\n')}
  results:
    .zero ${PAIRS.length * 8}`);
}

function resultsOf(guest: Guest, instruction: string): bigint[] {
  const program = loopOver(instruction);
  guest.program(program).run(PAIRS.length * 12 + 10);
  if (guest.get('pc') !== program.address('done')) throw new Error(instruction);
  const pages = new Map(guest.pages());
  const at = Number(program.address('results') - 0x8000_0000n);
  return PAIRS.map((_, index) => {
    const place = at + index * 8;
    const page = pages.get(place >> 12) ?? new Uint8Array(4096);
    return new DataView(page.buffer, page.byteOffset).getBigUint64(place & 4095, true);
  });
}

for (const [engine, options] of [
  ['interpreter', INTERPRETER],
  ['compiler', COMPILER],
  ['thorough compiler', THOROUGH],
] as const) {
  const guest = new Guest(options);

  test(`register instructions compute what the manual says (${engine})`, (t) => {
    for (const [name, model] of Object.entries(MODEL)) {
      const expected = PAIRS.map(([a, b]) => u64(model(a, b)));
      t.deepEqual(resultsOf(guest, `${name} a2,a0,a1`), expected, name);
    }
  });

  test(`instructions with a constant follow those with a register (${engine})`, (t) => {
    for (const [name, base] of Object.entries(WITH_CONSTANT)) {
      const isShift = name.startsWith('s') && !name.startsWith('slti');
      const constants = isShift ? [0, 1, name.endsWith('w') ? 31 : 63] : [-2048, -1, 0, 5, 2047];
      for (const constant of constants) {
        const expected = PAIRS.map(([a]) => u64(MODEL[base]?.(a, u64(BigInt(constant))) ?? 0n));
        t.deepEqual(resultsOf(guest, `${name} a2,a0,${constant}`), expected, `${name} ${constant}`);
      }
    }
  });

  test(`branches are taken as the manual says (${engine})`, (t) => {
    for (const [name, model] of Object.entries(BRANCHES)) {
      const source = `li a2,1\n ${name} a0,a1,taken\n li a2,0\n taken:`;
      const expected = PAIRS.map(([a, b]) => flag(model(a, b)));
      t.deepEqual(resultsOf(guest, source), expected, name);
    }
  });

  test(`no instruction changes x0 (${engine})`, (t) => {
    const MSCRATCH = 0x340 << 20;
    for (const row of INSTRUCTIONS) {
      const { files, extension, format, name } = row;
      if (files.rd !== 'x' || extension === 'Priv' || format === 'J') continue;
      const word = (row.match | (10 << 15) | (format === 'csr' ? MSCRATCH : 0)) >>> 0;
      const program = assemble(`
        li s1,5
      again:
        ${name === 'jalr' ? 'la a0,target' : 'li a0,0x80040000'}
        .word 0x${word.toString(16)}
      target:
        add a3,a3,zero
        addi s1,s1,-1
        bnez s1,again
      done: j done`);
      guest.program(program, { mstatus: 0x6000n, a3: 0n }).runTo(program.address('done'), 200);
      t.deepEqual([guest.get('zero'), guest.get('a3')], [0n, 0n], name);
    }
  });
}

test('a slot holds operation, operands and length', (t) => {
  const add = decode32(0x00c5_8533);
  t.is(add?.instruction.name, 'add');
  const { low } = packSlot(add, 0x00c5_8533, 4);
  const offsets = [(low >>> 8) & 255, (low >>> 16) & 255, low >>> 24];
  t.deepEqual(
    offsets.map((offset) => offset / 8),
    [10, 11, 12],
  );
  t.true((low & 255) < OP_COUNT);
  t.is(packSlot(null, 0x1234, 2).low & COMPRESSED_FLAG, COMPRESSED_FLAG);
  t.is(packSlot(null, 0x1234, 2).low & 255, OP_ILLEGAL);
  t.is(packSlot(null, 0x1234, 2).imm, 0x1234);
  t.is(packSlot(decode16(0x0001), 1, 2).low & 255, OP_NOP, 'c.nop');
  t.is(packSlot(decode32(0x13), 0x13, 4).low & 255, OP_NOP, 'nop');
  t.is(packSlot(decode32(0x3000_2573), 0x3000_2573, 4).imm, 0x3000_2573, 'csr keeps its bits');
});
