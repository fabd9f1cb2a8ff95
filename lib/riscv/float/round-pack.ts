/**
 * The last step of every inexact operation: normalise, round, detect overflow and underflow,
 * pack. And the last step of every operation on NaNs.
 *
 * Rounding adds an increment below the last fraction bit and cuts: half for the two nearest
 * modes, all guard bits where the mode moves away from zero, nothing otherwise. Tininess is
 * detected after rounding (RISC-V unprivileged ISA, "F" extension, exception flags), that is, on
 * the value rounded as if the exponent had no lower bound; underflow is raised when the result is
 * both tiny and inexact.
 */

import { call, local, select, set, unlikely, when } from '../../wasm/ir.js';
import type { Expr, FunctionSignature, Local, Stmt } from '../../wasm/ir.js';
import type { ModuleBuilder } from '../../wasm/module.js';
import { i32, i64 } from '../../wasm/ops.js';
import * as fmt from './format.js';
import { ExceptionFlag, RoundingMode, giveBack, raise, type FloatFormat } from './format.js';
import { shiftRightJam } from './wide.js';

function roundPackSignature(format: FloatFormat): FunctionSignature {
  return {
    name: `${format.name}_round_pack`,
    params: ['i64', 'i64', 'i64', 'i32'],
    result: 'i64',
  };
}

function nanSignature(format: FloatFormat): FunctionSignature {
  return { name: `${format.name}_nan`, params: ['i64', 'i64', 'i64'], result: 'i64' };
}

export interface Unrounded {
  /** 0 or 1. */
  readonly sign: Expr<'i64'>;
  readonly exponent: Expr<'i64'>;
  /** Any position of the leading one; zero gives a zero of that sign. */
  readonly significand: Expr<'i64'>;
}

/** The boxed, correctly rounded value of `significand / 2^62 * 2^(exponent - bias)`. */
export function roundPack(format: FloatFormat, value: Unrounded, rm: Expr<'i32'>): Expr<'i64'> {
  const args = [value.sign, value.exponent, value.significand, rm];
  return call('i64', roundPackSignature(format), args);
}

/** The boxed canonical NaN; raises NV if one of the plain operands is a signalling NaN. */
export function propagateNan(
  format: FloatFormat,
  a: Expr<'i64'>,
  b: Expr<'i64'> = a,
  c: Expr<'i64'> = b,
): Expr<'i64'> {
  return call('i64', nanSignature(format), [a, b, c]);
}

export function defineRoundPack(module: ModuleBuilder, format: FloatFormat): void {
  const sign = local('i64');
  const exponent = local('i64');
  const significand = local('i64');
  const rm = local('i32');
  const increment = local('i64');
  const discarded = local('i64');
  const tiny = local('i32');
  const guardMask = (1n << BigInt(format.guardBits)) - 1n;
  const half = 1n << BigInt(format.guardBits - 1);
  const largest = format.exponentMax - 1;
  const inOpenRange = i64.ltU(i64.sub(exponent, i64.const(1)), i64.const(largest - 1));
  module.define(
    roundPackSignature(format),
    [sign, exponent, significand, rm],
    [
      unlikely(i64.eqz(significand), [giveBack(fmt.box(format, fmt.placeSign(format, sign)))]),
      ...normalise(exponent, significand),
      set(increment, incrementOf(sign, rm, half, guardMask)),
      unlikely(i32.eqz(inOpenRange), [
        when(
          i64.leS(exponent, i64.const(0)),
          denormalise(exponent, significand, increment, tiny),
          overflow(format, { sign, exponent, significand }, increment),
        ),
      ]),
      set(discarded, i64.and(significand, i64.const(guardMask))),
      when(i64.ne(discarded, i64.const(0)), [
        raise(i32.or(i32.const(ExceptionFlag.inexact), i32.shl(tiny, i32.const(1)))),
      ]),
      set(significand, i64.shrU(i64.add(significand, increment), i64.const(format.guardBits))),
      when(i32.and(i32.eq(rm, i32.const(RoundingMode.RNE)), i64.eq(discarded, i64.const(half))), [
        set(significand, i64.and(significand, i64.const(-2))),
      ]),
      giveBack(fmt.box(format, pack(format, sign, exponent, significand))),
    ],
  );
  defineNan(module, format);
}

/** Moves the leading one to bit 62. */
function normalise(exponent: Local<'i64'>, significand: Local<'i64'>): readonly Stmt[] {
  const shift = local('i64');
  const one = i64.const(1);
  return [
    set(shift, i64.sub(i64.clz(significand), one)),
    set(exponent, i64.sub(exponent, shift)),
    when(
      i64.ltS(shift, i64.const(0)),
      [set(significand, i64.or(i64.shrU(significand, one), i64.and(significand, one)))],
      [set(significand, i64.shl(significand, shift))],
      'unlikely',
    ),
  ];
}

function incrementOf(
  sign: Expr<'i64'>,
  rm: Expr<'i32'>,
  half: bigint,
  guardMask: bigint,
): Expr<'i64'> {
  const nearest = i32.or(
    i32.eq(rm, i32.const(RoundingMode.RNE)),
    i32.eq(rm, i32.const(RoundingMode.RMM)),
  );
  // RDN is even and RUP is odd: each moves away from zero where its low bit differs from the sign.
  const awayFromZero = i32.and(
    i32.geU(rm, i32.const(RoundingMode.RDN)),
    i32.ne(i32.and(rm, i32.const(1)), i32.wrap(sign)),
  );
  const directed = select(awayFromZero, i64.const(guardMask), i64.const(0));
  return select(nearest, i64.const(half), directed);
}

/** Shifts a value below the normal range into place, after noting whether it is tiny. */
function denormalise(
  exponent: Local<'i64'>,
  significand: Local<'i64'>,
  increment: Local<'i64'>,
  tiny: Local<'i32'>,
): readonly Stmt[] {
  const roundsToNormal = i64.ltS(i64.add(significand, increment), i64.const(0));
  return [
    set(tiny, i32.or(i64.ltS(exponent, i64.const(0)), i32.eqz(roundsToNormal))),
    set(significand, shiftRightJam(significand, i64.sub(i64.const(1), exponent))),
    set(exponent, i64.const(1)),
  ];
}

/** Ends the function if the rounded value exceeds the largest finite one. */
function overflow(format: FloatFormat, value: Unrounded, increment: Local<'i64'>): readonly Stmt[] {
  const carries = i64.ltS(i64.add(value.significand, increment), i64.const(0));
  const exceeds = i64.gtS(value.exponent, i64.const(format.exponentMax - 1));
  // Where the mode moves towards zero the largest finite value, one below infinity, is returned.
  const magnitude = i64.sub(i64.const(format.infinity), i64.extendI32U(i64.eqz(increment)));
  return [
    when(i32.or(exceeds, carries), [
      raise(ExceptionFlag.overflow | ExceptionFlag.inexact),
      giveBack(fmt.box(format, i64.or(fmt.placeSign(format, value.sign), magnitude))),
    ]),
  ];
}

/** The leading one of a normal significand adds the last 1 to the exponent. */
function pack(
  format: FloatFormat,
  sign: Expr<'i64'>,
  exponent: Expr<'i64'>,
  significand: Expr<'i64'>,
): Expr<'i64'> {
  const below = i64.shl(i64.sub(exponent, i64.const(1)), i64.const(format.fractionBits));
  return i64.or(fmt.placeSign(format, sign), i64.add(below, significand));
}

function defineNan(module: ModuleBuilder, format: FloatFormat): void {
  const a = local('i64');
  const b = local('i64');
  const c = local('i64');
  const signalling = i32.or(
    i32.or(fmt.isSignalling(format, a), fmt.isSignalling(format, b)),
    fmt.isSignalling(format, c),
  );
  module.define(
    nanSignature(format),
    [a, b, c],
    [when(signalling, [raise(ExceptionFlag.invalid)]), giveBack(fmt.canonicalNan(format))],
  );
}
