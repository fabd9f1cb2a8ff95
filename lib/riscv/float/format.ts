/**
 * The two binary formats of the F and D extensions, and the small expressions on their bits.
 *
 * Inside the library a value is "plain": its bits, zero-extended to i64. A register is "boxed":
 * an f32 fills the upper 32 bits with ones, and a register that does not is read as the canonical
 * NaN (RISC-V unprivileged ISA, "NaN Boxing of Narrower Values"). For f64 both are the same.
 *
 * An unpacked finite value has a significand with its leading one at bit 62, so that a sum of two
 * still fits in 64 bits, and stands for `significand / 2^62 * 2^(exponent - bias)`. The bits
 * below the format's fraction are guard bits; bit 0 is sticky.
 */

import { global, local, select, set, setGlobal, when } from '../../wasm/ir.js';
import type { Expr, Local, Stmt } from '../../wasm/ir.js';
import { i32, i64 } from '../../wasm/ops.js';

export interface FloatFormat {
  readonly name: 'f32' | 'f64';
  readonly bits: number;
  readonly fractionBits: number;
  /** The biased exponent of infinities and NaNs, all ones. */
  readonly exponentMax: number;
  readonly bias: number;
  readonly signBit: bigint;
  readonly magnitudeMask: bigint;
  readonly fractionMask: bigint;
  readonly infinity: bigint;
  /** The top bit of the fraction: set in a quiet NaN, clear in a signalling one. */
  readonly quietBit: bigint;
  /** The NaN that every operation returns. */
  readonly canonicalNan: bigint;
  /** Bits of an unpacked significand below the last fraction bit. */
  readonly guardBits: number;
  /** The bits above the format in a register. */
  readonly box: bigint;
}

function describe(name: 'f32' | 'f64', bits: number, fractionBits: number): FloatFormat {
  const signBit = 1n << BigInt(bits - 1);
  const quietBit = 1n << BigInt(fractionBits - 1);
  const exponentMax = 2 ** (bits - 1 - fractionBits) - 1;
  const infinity = BigInt(exponentMax) << BigInt(fractionBits);
  return {
    name,
    bits,
    fractionBits,
    exponentMax,
    bias: (exponentMax - 1) / 2,
    signBit,
    magnitudeMask: signBit - 1n,
    fractionMask: (1n << BigInt(fractionBits)) - 1n,
    infinity,
    quietBit,
    canonicalNan: infinity | quietBit,
    guardBits: LEADING_BIT - fractionBits,
    box: bits === 64 ? 0n : 0xffffffff_00000000n,
  };
}

/** Position of the leading one of an unpacked significand. */
export const LEADING_BIT = 62;

export const F32 = describe('f32', 32, 23);
export const F64 = describe('f64', 64, 52);

/** Rounding modes as in `frm`; 5 to 7 never reach the library. */
export const RoundingMode = {
  /** To nearest, ties to even. */
  RNE: 0,
  /** Towards zero. */
  RTZ: 1,
  /** Down, towards negative infinity. */
  RDN: 2,
  /** Up, towards positive infinity. */
  RUP: 3,
  /** To nearest, ties away from zero. */
  RMM: 4,
} as const;

/** Accrued exception flags as in `fflags`. */
export const ExceptionFlag = {
  inexact: 1,
  underflow: 2,
  overflow: 4,
  divideByZero: 8,
  invalid: 16,
} as const;

/** The module global that accumulates the flags; whoever builds the module defines it as i32. */
export const FLAGS_GLOBAL = 'fflags';

export function raise(flags: number | Expr<'i32'>): Stmt {
  const mask = typeof flags === 'number' ? i32.const(flags) : flags;
  return setGlobal(FLAGS_GLOBAL, i32.or(global('i32', FLAGS_GLOBAL), mask));
}

export function giveBack(value: Expr): Stmt {
  return { kind: 'return', value };
}

/** Register to plain bits. */
export function unbox(format: FloatFormat, register: Expr<'i64'>): Expr<'i64'> {
  if (format.box === 0n) return register;
  const low = i64.and(register, i64.const(0xffffffffn));
  const boxed = i64.geU(register, i64.const(format.box));
  return select(boxed, low, i64.const(format.canonicalNan));
}

/** Registers to plain bits, in place. */
export function unboxAll(format: FloatFormat, registers: readonly Local<'i64'>[]): readonly Stmt[] {
  if (format.box === 0n) return [];
  return registers.map((register) => set(register, unbox(format, register)));
}

/** Plain bits to register. */
export function box(format: FloatFormat, plain: Expr<'i64'>): Expr<'i64'> {
  return format.box === 0n ? plain : i64.or(plain, i64.const(format.box));
}

export function canonicalNan(format: FloatFormat): Expr<'i64'> {
  return i64.const(format.canonicalNan | format.box);
}

/** Ends the function with an invalid operation: NV and the canonical NaN. */
export function invalid(format: FloatFormat): readonly Stmt[] {
  return [raise(ExceptionFlag.invalid), giveBack(canonicalNan(format))];
}

/** 0 or 1. */
export function signOf(format: FloatFormat, plain: Expr<'i64'>): Expr<'i64'> {
  return i64.shrU(plain, i64.const(format.bits - 1));
}

/** A sign of 0 or 1 moved to its place. */
export function placeSign(format: FloatFormat, sign: Expr<'i64'>): Expr<'i64'> {
  return i64.shl(sign, i64.const(format.bits - 1));
}

export function magnitudeOf(format: FloatFormat, plain: Expr<'i64'>): Expr<'i64'> {
  return i64.and(plain, i64.const(format.magnitudeMask));
}

export function exponentOf(format: FloatFormat, plain: Expr<'i64'>): Expr<'i64'> {
  const shifted = i64.shrU(plain, i64.const(format.fractionBits));
  return i64.and(shifted, i64.const(format.exponentMax));
}

export function isNan(format: FloatFormat, plain: Expr<'i64'>): Expr<'i32'> {
  return i64.gtU(magnitudeOf(format, plain), i64.const(format.infinity));
}

/** NaN with the quiet bit clear. */
export function isSignalling(format: FloatFormat, plain: Expr<'i64'>): Expr<'i32'> {
  const quiet = i64.and(plain, i64.const(format.quietBit));
  return i32.and(isNan(format, plain), i64.eqz(quiet));
}

export function isZero(format: FloatFormat, plain: Expr<'i64'>): Expr<'i32'> {
  return i64.eqz(magnitudeOf(format, plain));
}

export function isInfinite(format: FloatFormat, plain: Expr<'i64'>): Expr<'i32'> {
  return i64.eq(magnitudeOf(format, plain), i64.const(format.infinity));
}

/** Infinity or NaN. */
export function isSpecial(format: FloatFormat, plain: Expr<'i64'>): Expr<'i32'> {
  return i64.geU(magnitudeOf(format, plain), i64.const(format.infinity));
}

export interface Unpacked {
  /** Biased, and below 1 for subnormal values, as the significand is normalised. */
  readonly exponent: Local<'i64'>;
  /** Zero exactly when the value is zero. */
  readonly significand: Local<'i64'>;
  /** Computes both; to be placed before their use. */
  readonly code: readonly Stmt[];
}

/** Takes a finite value apart. The sign is left to the caller. */
export function unpack(format: FloatFormat, plain: Local<'i64'>): Unpacked {
  const exponent = local('i64');
  const significand = local('i64');
  const shift = local('i64');
  const fraction = i64.and(plain, i64.const(format.fractionMask));
  return {
    exponent,
    significand,
    code: [
      set(exponent, exponentOf(format, plain)),
      set(significand, i64.shl(fraction, i64.const(format.guardBits))),
      when(
        i64.eqz(exponent),
        [
          set(shift, i64.sub(i64.clz(significand), i64.const(1))),
          set(significand, i64.shl(significand, shift)),
          set(exponent, i64.sub(i64.const(1), shift)),
        ],
        [set(significand, i64.or(significand, i64.const(1n << BigInt(LEADING_BIT))))],
      ),
    ],
  };
}
