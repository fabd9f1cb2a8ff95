/**
 * Goal: floating point done in place by compiled code has the result, the flags and the state of
 * the FPU that the interpreter gives, for every operand that is special.
 * Method: for each instruction of F and D, and each rounding mode in its encoding, one program that
 * runs it over a table of operands, modes, flags and states of the FPU, interpreted and compiled
 * from the first jump on. Everything that came out is compared. V8 is told to offer a fused
 * multiply-add, as the host of a hart tells it.
 */

import test from 'ava';
import { setEngineFlags } from '../../../lib/host/engine-flags.js';
import { nativeFloat } from '../../../lib/jit/float-path.js';
import { RegionFrame } from '../../../lib/jit/region-frame.js';
import { decode32 } from '../../../lib/riscv/decode.js';
import { isMemoryAccess, readsRounding } from '../../../lib/riscv/disassemble.js';
import { INSTRUCTIONS, type Instruction } from '../../../lib/riscv/table/index.js';
import { assemble } from '../../support/assembler.js';
import { Guest, INTERPRETER, type Memory } from '../../support/program.js';
import { Random } from '../../support/random.js';

setEngineFlags();

const COMPILED = { engine: 'compiler', hotAfter: 1 } as const;
const TABLE = 0x8001_0000;
/** Of a case: fcsr, FS, three operands; then what came out: x and f result, fcsr, mstatus, trap. */
const CASE_WORDS = 10;
const RESULTS = ['a3', 'fa3', 'fcsr', 'mstatus', 'mcause'] as const;
const STEPS_PER_CASE = 32;
const ROUNDING = ['rne', 'rtz', 'rdn', 'rup', 'rmm'] as const;
const DYNAMIC = 7;
const FS_DIRTY = 0x6000n;

const ROWS = INSTRUCTIONS.filter(
  (row) => (row.extension === 'F' || row.extension === 'D') && !isMemoryAccess(row),
);

/** Zeros, subnormals, both ends of the normal range, one, halves, limits of the integers, NaNs. */
const DOUBLES: readonly bigint[] = [
  0n,
  1n,
  0x000f_ffff_ffff_ffffn,
  0x0010_0000_0000_0000n,
  0x0010_0000_0000_0001n,
  0x0020_0000_0000_0000n,
  0x3810_0000_0000_0001n,
  0x36a0_0000_0000_0000n,
  0x3ff0_0000_0000_0000n,
  0x3ff0_0000_0000_0001n,
  0x3fe0_0000_0000_0000n,
  0x4005_bf0a_8b14_5769n,
  0x41df_ffff_ffff_ffffn,
  0x41e0_0000_0000_0000n,
  0x43e0_0000_0000_0000n,
  0x47ef_ffff_f000_0000n,
  0x7fef_ffff_ffff_ffffn,
  0x7ff0_0000_0000_0000n,
  0x7ff0_0000_0000_0001n,
  0x7ff8_0000_0000_0000n,
  0x7fff_ffff_ffff_ffffn,
];

const SINGLES: readonly bigint[] = [
  0n,
  1n,
  0x007f_ffffn,
  0x0080_0000n,
  0x0080_0001n,
  0x0100_0000n,
  0x3f80_0000n,
  0x3f80_0001n,
  0x3f00_0000n,
  0x402d_f854n,
  0x4f00_0000n,
  0x5f00_0000n,
  0x7f7f_ffffn,
  0x7f80_0000n,
  0x7f80_0001n,
  0x7fc0_0000n,
  0x7fff_ffffn,
];

const INTEGERS: readonly bigint[] = [
  ...[0n, 1n, 3n, 0x7fff_ffffn, 0x8000_0000n, 0xffff_ffffn, 0x1_0000_0001n],
  ...[1n << 24n, (1n << 24n) + 1n, 1n << 53n, (1n << 53n) + 1n, (1n << 54n) + 3n],
  ...[(1n << 63n) - 1n, 1n << 63n, (1n << 64n) - 1n, (1n << 64n) - (1n << 31n)],
];

const SINGLE_SIGN = 0x8000_0000n;
const DOUBLE_SIGN = 1n << 63n;
const BOX = 0xffff_ffff_0000_0000n;

/** Both signs of each; singles boxed, and some that are not. */
const DOUBLE_OPERANDS = DOUBLES.flatMap((bits) => [bits, bits | DOUBLE_SIGN]);
const SINGLE_OPERANDS = [
  ...SINGLES.flatMap((bits) => [bits | BOX, bits | SINGLE_SIGN | BOX]),
  ...[0x3f80_0000n, 0x3ff0_0000_3f80_0000n, 0xffff_fffe_3f80_0000n, 0x7fff_ffff_3f80_0000n],
];

/** Flags none, inexact alone, all but inexact, and modes of all eight numbers. */
const NEAREST = [0x00n, 0x01n, 0x1en];
const DIRECTED = [0x20n, 0x21n, 0x41n, 0x61n, 0x81n, 0xa1n, 0xc1n, 0xe0n];

/** Values of the source registers of an instruction. */
function operandsOf({ files, name }: Instruction): readonly bigint[] {
  if (files.rs1 === 'x') return INTEGERS;
  const isSingle = name.endsWith('.s') || name.endsWith('.x.w');
  return isSingle ? SINGLE_OPERANDS : DOUBLE_OPERANDS;
}

/** Pairs with each of the usual states, one in `sparse`; a part of the pairs with the others. */
function casesFor(row: Instruction, sparse: number): BigUint64Array {
  const operands = operandsOf(row);
  const random = new Random(row.match);
  const any = (): bigint => operands[random.below(operands.length)] ?? 0n;
  const words: bigint[] = [];
  const add = (fcsr: bigint, status: bigint, pair: readonly [bigint, bigint]): void => {
    words.push(fcsr, status, ...pair, any(), 0n, 0n, 0n, 0n, 0n);
  };
  for (const first of operands) {
    const seconds = row.files.rs2 === '-' && row.format !== 'R4' ? [any()] : operands;
    for (const second of seconds) {
      if (seconds.length > 1 && random.below(sparse) > 0) continue;
      for (const fcsr of NEAREST) add(fcsr, FS_DIRTY, [first, second]);
      if (seconds.length > 1 && random.below(6) > 0) continue;
      for (const fcsr of DIRECTED) add(fcsr, FS_DIRTY, [first, second]);
      for (const status of [0n, 0x2000n, 0x4000n]) add(0x01n, status, [first, second]);
    }
  }
  return BigUint64Array.from(words);
}

function encode({ match, mask, files, format }: Instruction, mode: number | null): number {
  const second = files.rs2 === '-' && format !== 'R4' ? 0 : 11 << 20;
  const third = format === 'R4' ? 12 << 27 : 0;
  const isFixed = (mask & 0x7000) === 0x7000;
  return (
    (match | (13 << 7) | (10 << 15) | second | third | (isFixed ? 0 : (mode ?? 0) << 12)) >>> 0
  );
}

const programOf = (word: number, caseCount: number) =>
  assemble(`
    la t0,trap
    csrw mtvec,t0
    li s0,${TABLE}
    li s1,${TABLE + caseCount * CASE_WORDS * 8}
    li s2,${FS_DIRTY}
    la s5,run                 # what is jumped to through a register is counted, and compiled
  next:
    csrs mstatus,s2
    ld t0,0(s0)
    csrw fcsr,t0
    ld a0,16(s0)
    fld fa0,16(s0)
    fld fa1,24(s0)
    fld fa2,32(s0)
    li a3,-77
    fmv.d.x fa3,a3
    li s3,-1
    ld t1,8(s0)
    csrc mstatus,s2
    csrs mstatus,t1
    jr s5
  run:
    .word ${word}
    j done
  done:
    csrr t2,mstatus
    csrs mstatus,s2
    csrr t0,fcsr
    sd a3,40(s0)
    fsd fa3,48(s0)
    sd t0,56(s0)
    sd t2,64(s0)
    sd s3,72(s0)
    addi s0,s0,${CASE_WORDS * 8}
    bne s0,s1,next
  stop:
    j stop
    .align 4
  trap:
    csrr s3,mcause
    csrr s4,mepc
    addi s4,s4,4
    csrw mepc,s4
    mret
  `);

/** The table after a run of all cases. */
function runCases(guest: Guest, word: number, cases: BigUint64Array): BigUint64Array {
  const count = cases.length / CASE_WORDS;
  const program = programOf(word, count);
  const table = new Uint8Array(cases.buffer);
  const memory: Memory = [
    [program.base, program.bytes],
    [TABLE, table],
  ];
  guest.load(memory, { pc: BigInt(program.base) });
  guest.run(STEPS_PER_CASE * count);
  const results = new Uint8Array(table.length);
  for (let at = 0; at < table.length; at += 4096) {
    const page = guest.machine.savePage((TABLE + at - program.base) / 4096);
    if (page !== null) results.set(page.subarray(0, table.length - at), at);
  }
  return new BigUint64Array(results.buffer);
}

const hex = (value: bigint | undefined): string => `0x${(value ?? 0n).toString(16)}`;

/** The first case that came out otherwise, in words; null if there is none. */
function firstDifference(expected: BigUint64Array, actual: BigUint64Array): string | null {
  if (Buffer.from(expected.buffer).equals(Buffer.from(actual.buffer))) return null;
  const at = expected.findIndex((value, index) => value !== actual[index]);
  const start = at - (at % CASE_WORDS);
  const [fcsr, status, ...operands] = expected.subarray(start, start + 5);
  const name = RESULTS[(at % CASE_WORDS) - 5] ?? 'input';
  return (
    `operands ${operands.map(hex).join(' ')}, fcsr ${hex(fcsr)}, FS ${hex(status)}: ` +
    `${name} is ${hex(actual[at])}, interpreted ${hex(expected[at])}`
  );
}

const interpreted = new Guest(INTERPRETER);
const compiled = new Guest(COMPILED);

for (const row of ROWS) {
  const isDynamic = row.rounds && readsRounding(row);
  const modes = isDynamic ? [DYNAMIC, ...ROUNDING.keys()] : [null];
  test(`${row.name} compiled is ${row.name} interpreted`, (t) => {
    for (const mode of modes) {
      const cases = casesFor(row, mode === null || mode === DYNAMIC ? 1 : 8);
      const word = encode(row, mode);
      const expected = runCases(interpreted, word, cases);
      t.not(expected.at(-2), 0n, 'the last case was run');
      const difference = firstDifference(expected, runCases(compiled, word, cases));
      t.is(difference, null, mode === null ? '' : `rounding mode ${mode}`);
    }
  });
}

/** Where nothing is: the code is built, not run. */
const NOWHERE = { hart: 0, mailbox: 0, cross: 0, ram: 0, heat: 0, entries: 0, jumpCache: 0 };

test('the usual operations are done in place', (t) => {
  const inPlace = ROWS.filter((row) => {
    const decoded = decode32(encode(row, DYNAMIC));
    if (decoded === null) throw new Error(`${row.name} is not decoded`);
    const context = {
      address: NOWHERE,
      counting: true,
      floatCheck: 'nothing',
      remembers: false,
    } as const;
    return nativeFloat(new RegionFrame(decoded, context), () => []) !== null;
  }).map(({ name }) => name);
  t.log(inPlace.join(' '));
  const usual = ['fadd', 'fsub', 'fmul', 'fdiv', 'fsqrt', 'feq', 'flt', 'fle', 'fmin', 'fmax'];
  for (const name of usual.flatMap((stem) => [`${stem}.d`, `${stem}.s`])) {
    t.true(inPlace.includes(name), name);
  }
});
