/**
 * Conversions between the two formats and between them and integers.
 *
 * To integers: the value is split into an integer part and a 64-bit fraction, rounded, and then
 * compared with the range of the target. Out of range, infinity and NaN give the nearest limit
 * (NaN the largest) and raise NV alone (RISC-V unprivileged ISA, "Single-Precision
 * Floating-Point Conversion"). From integers: the magnitude is an unpacked significand already.
 */

import { call, local, select, set, unlikely, when } from '../../wasm/ir.js';
import type { Expr, FunctionSignature, Local, Stmt } from '../../wasm/ir.js';
import type { ModuleBuilder } from '../../wasm/module.js';
import { f32, f64, i32, i64 } from '../../wasm/ops.js';
import * as fmt from './format.js';
import { ExceptionFlag, F32, F64, LEADING_BIT, RoundingMode } from './format.js';
import { giveBack, raise, type FloatFormat } from './format.js';
import { asF32, fromF32, isSafelyNormal, nearestAndInexact, tryNative } from './native.js';
import { propagateNan, roundPack } from './round-pack.js';
import { FLOAT } from './signatures.js';

interface IntegerType {
  readonly name: 'i32' | 'u32' | 'i64' | 'u64';
  readonly bits: 32 | 64;
  readonly signed: boolean;
}

const INTEGER_TYPES: readonly IntegerType[] = [
  { name: 'i32', bits: 32, signed: true },
  { name: 'u32', bits: 32, signed: false },
  { name: 'i64', bits: 64, signed: true },
  { name: 'u64', bits: 64, signed: false },
];

export function defineConvert(module: ModuleBuilder): void {
  for (const format of [F32, F64]) {
    defineSoftToInteger(module, format);
    for (const type of INTEGER_TYPES) {
      defineToInteger(module, format, type);
      defineFromInteger(module, format, type);
    }
  }
  definePromotion(module);
  defineDemotion(module);
}

/** (plain, rm, greatest positive, magnitude of the least negative) -> integer, 64 bits wide. */
function softToIntegerSignature(format: FloatFormat): FunctionSignature {
  return {
    name: `${format.name}_to_integer_soft`,
    params: ['i64', 'i32', 'i64', 'i64'],
    result: 'i64',
  };
}

/**
 * Truncation, which is what programs ask for, is native for values that fit: the way back to the
 * float shows whether anything was cut off.
 */
function defineToInteger(module: ModuleBuilder, format: FloatFormat, type: IntegerType): void {
  const a = local('i64');
  const rm = local('i32');
  const value = local('f64');
  const truncated = local('i64');
  const valueBits = type.signed ? type.bits - 1 : type.bits;
  const greatest = (1n << BigInt(valueBits)) - 1n;
  const least = type.signed ? greatest + 1n : 0n;
  const asDouble = format.name === 'f32' ? f64.promote(asF32(a)) : f64.reinterpretI64(a);
  // The signed truncation serves all types, so u64 takes this path below 2^63 only.
  const limit = BigInt(format.bias + Math.min(valueBits, 63)) << BigInt(format.fractionBits);
  const subject = type.signed ? fmt.magnitudeOf(format, a) : a;
  const fits = i64.ltU(subject, i64.const(limit));
  const narrowed = (wide: Expr<'i64'>): Expr<'i64'> =>
    type.bits === 32 ? i64.extend32S(wide) : wide;
  module.define(
    FLOAT[`${format.name}_to_${type.name}`],
    [a, rm],
    [
      ...fmt.unboxAll(format, [a]),
      when(
        i32.and(i32.eq(rm, i32.const(RoundingMode.RTZ)), fits),
        [
          set(value, asDouble),
          set(truncated, i64.truncSatF64S(value)),
          when(i32.eqz(f64.eq(f64.convertI64S(truncated), value)), [raise(ExceptionFlag.inexact)]),
          giveBack(narrowed(truncated)),
        ],
        [],
        'likely',
      ),
      giveBack(
        narrowed(
          call('i64', softToIntegerSignature(format), [
            a,
            rm,
            i64.const(greatest),
            i64.const(least),
          ]),
        ),
      ),
    ],
  );
}

function defineSoftToInteger(module: ModuleBuilder, format: FloatFormat): void {
  const a = local('i64');
  const rm = local('i32');
  const greatest = local('i64');
  const least = local('i64');
  const negative = local('i32');
  const integer = local('i64');
  const fraction = local('i64');
  const value = fmt.unpack(format, a);
  const power = value.exponent;
  const limit = select(negative, i64.sub(i64.const(0), least), greatest);
  const magnitudeLimit = select(negative, least, greatest);
  module.define(
    softToIntegerSignature(format),
    [a, rm, greatest, least],
    [
      when(fmt.isNan(format, a), [raise(ExceptionFlag.invalid), giveBack(greatest)]),
      set(negative, i64.ne(fmt.signOf(format, a), i64.const(0))),
      // Infinity is unpacked as a value far beyond every limit.
      ...value.code,
      set(power, i64.sub(power, i64.const(format.bias))),
      when(i64.gtS(power, i64.const(63)), [raise(ExceptionFlag.invalid), giveBack(limit)]),
      ...split(value.significand, power, integer, fraction),
      set(integer, i64.add(integer, i64.extendI32U(roundsAway(rm, negative, integer, fraction)))),
      when(i64.gtU(integer, magnitudeLimit), [raise(ExceptionFlag.invalid), giveBack(limit)]),
      when(i64.ne(fraction, i64.const(0)), [raise(ExceptionFlag.inexact)]),
      giveBack(select(negative, i64.sub(i64.const(0), integer), integer)),
    ],
  );
}

/** Splits `significand / 2^62 * 2^power`; the fraction is in units of 2^-64, sticky far below. */
function split(
  significand: Local<'i64'>,
  power: Local<'i64'>,
  integer: Local<'i64'>,
  fraction: Local<'i64'>,
): readonly Stmt[] {
  const one = i64.const(1);
  const minusOne = i64.const(-1);
  const topAligned = i64.shl(significand, one);
  const integerShift = i64.sub(i64.const(63), power);
  // Two shifts, as a fraction of no bits would need a shift by 64.
  const fractionBits = i64.shl(i64.shl(topAligned, power), one);
  const belowHalf = i64.extendI32U(i64.ne(significand, i64.const(0)));
  return [
    when(
      i64.geS(power, i64.const(0)),
      [set(integer, i64.shrU(topAligned, integerShift)), set(fraction, fractionBits)],
      [
        set(integer, i64.const(0)),
        set(fraction, select(i64.eq(power, minusOne), topAligned, belowHalf)),
      ],
    ),
  ];
}

/** Whether the magnitude goes up by one. */
function roundsAway(
  rm: Local<'i32'>,
  negative: Local<'i32'>,
  integer: Local<'i64'>,
  fraction: Local<'i64'>,
): Expr<'i32'> {
  const half = i64.const(1n << 63n);
  const is = (mode: number): Expr<'i32'> => i32.eq(rm, i32.const(mode));
  const inexact = i64.ne(fraction, i64.const(0));
  const isOdd = i32.and(i32.wrap(integer), i32.const(1));
  const toEven = i32.or(i64.gtU(fraction, half), i32.and(i64.eq(fraction, half), isOdd));
  const down = i32.and(inexact, negative);
  const up = i32.and(inexact, i32.eqz(negative));
  return i32.or(
    i32.or(
      i32.and(is(RoundingMode.RNE), toEven),
      i32.and(is(RoundingMode.RMM), i64.geU(fraction, half)),
    ),
    i32.or(i32.and(is(RoundingMode.RDN), down), i32.and(is(RoundingMode.RUP), up)),
  );
}

function defineFromInteger(module: ModuleBuilder, format: FloatFormat, type: IntegerType): void {
  const a = local('i64');
  const rm = local('i32');
  const sign = local('i64');
  const narrowed = type.signed ? i64.extend32S(a) : i64.and(a, i64.const(0xffffffffn));
  const native = nativeFromInteger(format, type.signed, a);
  const returnNative = giveBack(fmt.box(format, native));
  const exact = type.bits === 32 && format.name === 'f64';
  const magnitude = i64.sub(i64.xor(a, i64.sub(i64.const(0), sign)), i64.sub(i64.const(0), sign));
  const rounded = roundPack(
    format,
    { sign, exponent: i64.const(format.bias + LEADING_BIT), significand: a },
    rm,
  );
  const inexactBody: readonly Stmt[] = [
    when(nearestAndInexact(rm), [returnNative], [], 'likely'),
    ...(type.signed
      ? [set(sign, i64.shrU(a, i64.const(63))), set(a, magnitude)]
      : [set(sign, i64.const(0))]),
    giveBack(rounded),
  ];
  module.define(
    FLOAT[`${type.name}_to_${format.name}`],
    [a, rm],
    [...(type.bits === 32 ? [set(a, narrowed)] : []), ...(exact ? [returnNative] : inexactBody)],
  );
}

function nativeFromInteger(format: FloatFormat, signed: boolean, a: Expr<'i64'>): Expr<'i64'> {
  if (format.name === 'f32') return fromF32(signed ? f32.convertI64S(a) : f32.convertI64U(a));
  return i64.reinterpretF64(signed ? f64.convertI64S(a) : f64.convertI64U(a));
}

function definePromotion(module: ModuleBuilder): void {
  const a = local('i64');
  module.define(
    FLOAT.f32_to_f64,
    [a],
    [
      ...fmt.unboxAll(F32, [a]),
      unlikely(fmt.isNan(F32, a), [
        { kind: 'drop', value: propagateNan(F32, a) },
        giveBack(fmt.canonicalNan(F64)),
      ]),
      giveBack(i64.reinterpretF64(f64.promote(asF32(a)))),
    ],
  );
}

function defineDemotion(module: ModuleBuilder): void {
  const a = local('i64');
  const rm = local('i32');
  const result = local('i64');
  const sign = local('i64');
  const value = fmt.unpack(F64, a);
  const exponent = i64.add(value.exponent, i64.const(F32.bias - F64.bias));
  const signedInfinity = i64.or(fmt.placeSign(F32, sign), i64.const(F32.infinity));
  module.define(
    FLOAT.f64_to_f32,
    [a, rm],
    [
      tryNative(F32, {
        rm,
        result,
        value: fromF32(f32.demote(f64.reinterpretI64(a))),
        safe: isSafelyNormal(F32, result),
      }),
      set(sign, fmt.signOf(F64, a)),
      unlikely(fmt.isSpecial(F64, a), [
        when(fmt.isNan(F64, a), [
          { kind: 'drop', value: propagateNan(F64, a) },
          giveBack(fmt.canonicalNan(F32)),
        ]),
        giveBack(fmt.box(F32, signedInfinity)),
      ]),
      ...value.code,
      giveBack(roundPack(F32, { sign, exponent, significand: value.significand }, rm)),
    ],
  );
}
