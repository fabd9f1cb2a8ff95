/**
 * Goal: the float library is exact, shown with nothing but this process.
 * Method: three references that the library does not use for the operation at hand: its own
 * integer path against its native path, the host's arithmetic, and exact integers of any size.
 * The tests in `float/` add emulated RISC-V instructions where the tools for that are installed.
 */

import test from 'ava';
import { ExceptionFlag, type FloatFunction } from '../../../lib/riscv/float/library.js';
import {
  FUNCTIONS,
  RESULT_BYTES,
  instantiateFloatLibrary,
  type FloatLibrary,
} from '../../support/float-oracle.js';
import { differences, forEachBatch, kindOf } from '../../support/float-oracle-check.js';
import { exactFused } from '../../support/float-oracle-exact.js';
import { VECTOR_BYTES, vectorsOf } from '../../support/float-oracle-vectors.js';

const library: FloatLibrary = instantiateFloatLibrary();

const BOX = 0xffffffff_00000000n;
const CANONICAL = { f32: 0x7fc00000n, f64: 0x7ff80000_00000000n } as const;

for (const kind of ['f32', 'f64', 'integer'] as const) {
  test(`native and integer paths agree in value and flags (operations on ${kind})`, (t) => {
    forEachBatch(kind, (vectors, seed) => {
      for (const operation of FUNCTIONS.filter((name) => kindOf(name) === kind)) {
        const exact = library.run(operation, vectors, 0);
        const quick = library.run(operation, vectors, ExceptionFlag.inexact);
        const complaints = differences(vectors, exact, quick, ExceptionFlag.inexact);
        t.deepEqual(complaints, [], `${operation} seed ${seed}`);
      }
    });
  });
}

function vector(registers: readonly bigint[], mode = 0, negations = 0): Uint8Array {
  const bytes = new Uint8Array(VECTOR_BYTES);
  const view = new DataView(bytes.buffer);
  registers.forEach((register, place) => view.setBigUint64(place * 8, register, true));
  view.setUint32(24, mode, true);
  view.setUint32(28, negations, true);
  return bytes;
}

function resultAt(results: Uint8Array, index: number): readonly [bigint, bigint] {
  const view = new DataView(results.buffer, results.byteOffset);
  const at = index * RESULT_BYTES;
  return [view.getBigUint64(at, true), view.getBigUint64(at + 8, true)];
}

const HOST: Readonly<Record<'add' | 'sub' | 'mul' | 'div', (a: number, b: number) => number>> = {
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  div: (a, b) => a / b,
};

for (const operation of ['add', 'sub', 'mul', 'div'] as const) {
  test(`f64_${operation} to nearest even equals the host's arithmetic`, (t) => {
    const vectors = vectorsOf('f64', 7, 20_000);
    const input = new DataView(vectors.buffer);
    const cell = new DataView(new ArrayBuffer(8));
    for (let at = 0; at < vectors.length; at += VECTOR_BYTES) input.setUint32(at + 24, 0, true);
    const results = library.run(`f64_${operation}`, vectors, 0);
    for (let at = 0; at < vectors.length; at += VECTOR_BYTES) {
      const a = input.getFloat64(at, true);
      const b = input.getFloat64(at + 8, true);
      const expected = HOST[operation](a, b);
      cell.setFloat64(0, expected);
      const bits = Number.isNaN(expected) ? CANONICAL.f64 : cell.getBigUint64(0);
      const [value] = resultAt(results, at / VECTOR_BYTES);
      if (value !== bits) t.fail(`${a} ${b}: ${value.toString(16)}, not ${bits.toString(16)}`);
    }
    t.pass();
  });
}

for (const format of ['f32', 'f64'] as const) {
  test(`${format}_fma equals exact integers rounded by definition, in all modes`, (t) => {
    const vectors = vectorsOf(format, 11, 20_000);
    const input = new DataView(vectors.buffer);
    for (let at = 0; at < vectors.length; at += VECTOR_BYTES) input.setUint32(at + 28, 0, true);
    const results = library.run(`${format}_fma`, vectors, 0);
    let compared = 0;
    for (let at = 0; at < vectors.length; at += VECTOR_BYTES) {
      const [a, b, c] = [plain(input, at), plain(input, at + 8), plain(input, at + 16)];
      const mode = input.getUint32(at + 24, true);
      const exact = exactFused(format, { a, b, c }, mode);
      if (exact === null) continue;
      compared++;
      const [value, flags] = resultAt(results, at / VECTOR_BYTES);
      const expected = format === 'f32' ? exact.plain | BOX : exact.plain;
      if (value !== expected || Number(flags) !== exact.flags) {
        t.fail(`${[a, b, c].map((bits) => bits.toString(16)).join(' ')} mode ${mode}`);
      }
    }
    t.true(compared > 10_000, `${compared} vectors compared`);
  });

  /** An f32 that is not boxed counts as the canonical NaN. */
  function plain(input: DataView, at: number): bigint {
    const register = input.getBigUint64(at, true);
    if (format === 'f64') return register;
    return register >= BOX ? register ^ BOX : CANONICAL.f32;
  }
}

interface Example {
  readonly what: string;
  readonly operation: FloatFunction;
  readonly registers: readonly bigint[];
  readonly value: bigint;
  readonly flags?: number;
}

const ZERO = 0n;
const MINUS_ZERO = 1n << 63n;
const INFINITY = 0x7ff00000_00000000n;
const SIGNALLING = INFINITY | 1n;
const ONE = 0x3ff00000_00000000n;
const NV = ExceptionFlag.invalid;

const EXAMPLES: readonly Example[] = [
  {
    what: 'infinity times zero is invalid even with a quiet NaN addend',
    operation: 'f64_fma',
    registers: [INFINITY, ZERO, CANONICAL.f64],
    value: CANONICAL.f64,
    flags: NV,
  },
  {
    what: 'the minimum of zeros is the negative one',
    operation: 'f64_min',
    registers: [ZERO, MINUS_ZERO],
    value: MINUS_ZERO,
  },
  {
    what: 'a signalling NaN loses against a number and raises NV',
    operation: 'f64_max',
    registers: [SIGNALLING, ONE],
    value: ONE,
    flags: NV,
  },
  {
    what: 'equality with a quiet NaN is false without a flag',
    operation: 'f64_eq',
    registers: [CANONICAL.f64, CANONICAL.f64],
    value: 0n,
  },
  {
    what: 'an order with a quiet NaN is invalid',
    operation: 'f64_le',
    registers: [CANONICAL.f64, ONE],
    value: 0n,
    flags: NV,
  },
  {
    what: 'a NaN converts to the largest unsigned word, sign-extended',
    operation: 'f64_to_u32',
    registers: [CANONICAL.f64],
    value: 0xffffffff_ffffffffn,
    flags: NV,
  },
  {
    what: 'a negative number converts to unsigned zero and is invalid, not inexact',
    operation: 'f64_to_u64',
    registers: [ONE | MINUS_ZERO],
    value: 0n,
    flags: NV,
  },
  {
    what: 'a division by zero gives a signed infinity',
    operation: 'f64_div',
    registers: [ONE, MINUS_ZERO],
    value: INFINITY | MINUS_ZERO,
    flags: ExceptionFlag.divideByZero,
  },
  {
    what: 'an f32 that is not boxed is read as the canonical NaN',
    operation: 'f32_sgnj',
    registers: [0x3f800000n, BOX],
    value: BOX | CANONICAL.f32,
  },
  {
    what: 'the square root of minus zero is minus zero',
    operation: 'f64_sqrt',
    registers: [MINUS_ZERO],
    value: MINUS_ZERO,
  },
];

for (const { what, operation, registers, value, flags } of EXAMPLES) {
  test(`${what} (${operation})`, (t) => {
    const results = library.run(operation, vector(registers), 0);
    t.deepEqual(resultAt(results, 0), [value, BigInt(flags ?? 0)]);
  });
}
