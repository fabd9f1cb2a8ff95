/**
 * Fused multiply-add in integers: the exact 128-bit product and the addend are aligned, added and
 * rounded once.
 *
 * In 128 bits the product's leading one is at bit 124 or 125 and the addend's at bit 124, so the
 * sum stays below 2^127. An operand shifted right loses bits only when it is so far below the
 * other that at most one leading bit can cancel, so a sticky bit 0 keeps the rounding correct.
 */

import { call, local, set, unlikely, when } from '../../wasm/ir.js';
import type { Expr, FunctionSignature, Local, Stmt } from '../../wasm/ir.js';
import type { ModuleBuilder } from '../../wasm/module.js';
import { i32, i64 } from '../../wasm/ops.js';
import * as fmt from './format.js';
import { RoundingMode, giveBack, type FloatFormat } from './format.js';
import { nativeFused } from './native-fused.js';
import { propagateNan, roundPack } from './round-pack.js';
import { FLOAT } from './signatures.js';
import * as wide from './wide.js';

/** Integer code: plain operands in, boxed result out. */
function softSignature(format: FloatFormat): FunctionSignature {
  return {
    name: `${format.name}_fma_soft`,
    params: ['i64', 'i64', 'i64', 'i32'],
    result: 'i64',
  };
}

interface Operands {
  readonly a: Local<'i64'>;
  readonly b: Local<'i64'>;
  readonly c: Local<'i64'>;
}

export function defineFused(module: ModuleBuilder, format: FloatFormat): void {
  const a = local('i64');
  const b = local('i64');
  const c = local('i64');
  const negateProduct = local('i32');
  const negateAddend = local('i32');
  const rm = local('i32');
  const negated = (value: Local<'i64'>, negate: Local<'i32'>): Stmt =>
    set(value, i64.xor(value, fmt.placeSign(format, i64.extendI32U(negate))));
  module.define(
    FLOAT[`${format.name}_fma`],
    [a, b, c, negateProduct, negateAddend, rm],
    [
      ...fmt.unboxAll(format, [a, b, c]),
      negated(a, negateProduct),
      negated(c, negateAddend),
      nativeFused(format, { a, b, c }, rm),
      giveBack(call('i64', softSignature(format), [a, b, c, rm])),
    ],
  );
  defineSoftFused(module, format);
}

function defineSoftFused(module: ModuleBuilder, format: FloatFormat): void {
  const a = local('i64');
  const b = local('i64');
  const c = local('i64');
  const rm = local('i32');
  const sign = local('i64');
  const exponent = local('i64');
  const distance = local('i64');
  const first = fmt.unpack(format, a);
  const second = fmt.unpack(format, b);
  const third = fmt.unpack(format, c);
  const product = wide.wide();
  const addend = wide.wide();
  const sum = i64.add(first.exponent, second.exponent);
  const zero = i64.const(0);
  module.define(
    softSignature(format),
    [a, b, c, rm],
    [
      set(sign, fmt.signOf(format, i64.xor(a, b))),
      unlikely(anySpecial(format, { a, b, c }), specialFused(format, { a, b, c }, sign)),
      unlikely(
        i32.or(fmt.isZero(format, a), fmt.isZero(format, b)),
        zeroProduct(format, c, sign, rm),
      ),
      ...first.code,
      ...second.code,
      ...third.code,
      set(product.high, wide.multiplyHigh(first.significand, second.significand)),
      set(product.low, i64.mul(first.significand, second.significand)),
      set(exponent, i64.sub(sum, i64.const(format.bias))),
      when(i64.ne(third.significand, zero), [
        set(addend.high, i64.shrU(third.significand, i64.const(2))),
        set(addend.low, zero),
        set(distance, i64.sub(exponent, third.exponent)),
        when(i64.gtS(distance, zero), [wide.shiftWideRightJam(addend, distance)]),
        when(i64.ltS(distance, zero), [
          set(exponent, third.exponent),
          set(distance, i64.sub(zero, distance)),
          wide.shiftWideRightJam(product, distance),
        ]),
        ...addSigned(product, addend, sign, i64.ne(sign, fmt.signOf(format, c)), rm),
      ]),
      ...roundWide(format, { sign, exponent, value: product }, rm),
    ],
  );
}

/** Adds the addend to the product by sign and magnitude. */
function addSigned(
  product: wide.Wide,
  addend: wide.Wide,
  sign: Local<'i64'>,
  signsDiffer: Expr<'i32'>,
  rm: Local<'i32'>,
): readonly Stmt[] {
  const isZero = i64.eqz(i64.or(product.high, product.low));
  return [
    when(
      signsDiffer,
      [
        ...wide.subtractWide(product, addend),
        when(i64.ltS(product.high, i64.const(0)), [
          ...wide.negateWide(product),
          set(sign, i64.xor(sign, i64.const(1))),
        ]),
        when(isZero, [set(sign, i64.extendI32U(i32.eq(rm, i32.const(RoundingMode.RDN))))]),
      ],
      wide.addWide(product, addend),
    ),
  ];
}

/** Rounds `value / 2^124 * 2^(exponent - bias)`. */
function roundWide(
  format: FloatFormat,
  unrounded: {
    readonly sign: Expr<'i64'>;
    readonly exponent: Local<'i64'>;
    readonly value: wide.Wide;
  },
  rm: Expr<'i32'>,
): readonly Stmt[] {
  const { sign, exponent, value } = unrounded;
  const { high, low } = value;
  const shift = local('i64');
  const one = i64.const(1);
  const fromLow = i64.shrU(i64.shrU(low, one), i64.sub(i64.const(63), shift));
  return [
    // Bit 126 is where `roundPack` expects the leading one of the high half.
    set(exponent, i64.add(exponent, i64.const(2))),
    when(
      i64.eqz(high),
      [set(high, low), set(exponent, i64.sub(exponent, i64.const(64)))],
      [
        set(shift, i64.sub(i64.clz(high), one)),
        set(exponent, i64.sub(exponent, shift)),
        set(high, i64.or(i64.shl(high, shift), fromLow)),
        set(high, i64.or(high, wide.sticky(i64.shl(low, shift)))),
      ],
    ),
    giveBack(roundPack(format, { sign, exponent, significand: high }, rm)),
  ];
}

function anySpecial(format: FloatFormat, { a, b, c }: Operands): Expr<'i32'> {
  return i32.or(
    i32.or(fmt.isSpecial(format, a), fmt.isSpecial(format, b)),
    fmt.isSpecial(format, c),
  );
}

/** At least one operand is infinite or NaN. Infinity times zero is invalid even with a NaN c. */
function specialFused(
  format: FloatFormat,
  { a, b, c }: Operands,
  sign: Local<'i64'>,
): readonly Stmt[] {
  const infinite = (value: Local<'i64'>): Expr<'i32'> => fmt.isInfinite(format, value);
  const zero = (value: Local<'i64'>): Expr<'i32'> => fmt.isZero(format, value);
  const infinityTimesZero = i32.or(i32.and(infinite(a), zero(b)), i32.and(zero(a), infinite(b)));
  const productInfinite = i32.or(infinite(a), infinite(b));
  const opposes = i64.ne(sign, fmt.signOf(format, c));
  const infinity = i64.or(fmt.placeSign(format, sign), i64.const(format.infinity));
  const anyNan = i32.or(i32.or(fmt.isNan(format, a), fmt.isNan(format, b)), fmt.isNan(format, c));
  return [
    when(infinityTimesZero, fmt.invalid(format)),
    when(anyNan, [giveBack(propagateNan(format, a, b, c))]),
    when(productInfinite, [
      when(i32.and(infinite(c), opposes), fmt.invalid(format)),
      giveBack(fmt.box(format, infinity)),
    ]),
    giveBack(fmt.box(format, c)),
  ];
}

/** The product is an exact zero: the result is the addend, or a zero by the rules of sums. */
function zeroProduct(
  format: FloatFormat,
  c: Local<'i64'>,
  sign: Local<'i64'>,
  rm: Local<'i32'>,
): readonly Stmt[] {
  const opposes = i64.ne(sign, fmt.signOf(format, c));
  const roundsDown = i64.extendI32U(i32.eq(rm, i32.const(RoundingMode.RDN)));
  return [
    when(i32.and(fmt.isZero(format, c), opposes), [
      giveBack(fmt.box(format, fmt.placeSign(format, roundsDown))),
    ]),
    giveBack(fmt.box(format, c)),
  ];
}
