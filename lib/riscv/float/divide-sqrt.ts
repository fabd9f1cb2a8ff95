/**
 * Division and square root.
 *
 * The quotient is developed by a few 64-bit divisions, each giving as many bits as fit above the
 * divisor; the root bit by bit. Both carry at least two bits more than the format and a sticky
 * bit for the remainder, so that one rounding of them is the rounding of the exact result.
 */

import { br, brIf, block, call, label, local, loop, set, unlikely, when } from '../../wasm/ir.js';
import type { FunctionSignature, Local, Stmt } from '../../wasm/ir.js';
import type { ModuleBuilder } from '../../wasm/module.js';
import { i32, i64 } from '../../wasm/ops.js';
import * as fmt from './format.js';
import { ExceptionFlag, LEADING_BIT, giveBack, raise, type FloatFormat } from './format.js';
import { isSafelyNormal, nativeBinary, nativeSquareRoot, tryNative } from './native.js';
import { propagateNan, roundPack } from './round-pack.js';
import { FLOAT } from './signatures.js';
import { sticky } from './wide.js';

/** Integer code: plain operands in, boxed result out. */
function softDivideSignature(format: FloatFormat): FunctionSignature {
  return { name: `${format.name}_div_soft`, params: ['i64', 'i64', 'i32'], result: 'i64' };
}

function softSqrtSignature(format: FloatFormat): FunctionSignature {
  return { name: `${format.name}_sqrt_soft`, params: ['i64', 'i32'], result: 'i64' };
}

export function defineDivideSqrt(module: ModuleBuilder, format: FloatFormat): void {
  defineSoftDivide(module, format);
  defineSoftSqrt(module, format);
  defineDivide(module, format);
  defineSqrt(module, format);
}

function defineDivide(module: ModuleBuilder, format: FloatFormat): void {
  const a = local('i64');
  const b = local('i64');
  const rm = local('i32');
  const result = local('i64');
  module.define(
    FLOAT[`${format.name}_div`],
    [a, b, rm],
    [
      ...fmt.unboxAll(format, [a, b]),
      tryNative(format, {
        rm,
        result,
        value: nativeBinary(format, 'div', a, b),
        safe: isSafelyNormal(format, result),
      }),
      giveBack(call('i64', softDivideSignature(format), [a, b, rm])),
    ],
  );
}

function defineSqrt(module: ModuleBuilder, format: FloatFormat): void {
  const a = local('i64');
  const rm = local('i32');
  const result = local('i64');
  module.define(
    FLOAT[`${format.name}_sqrt`],
    [a, rm],
    [
      ...fmt.unboxAll(format, [a]),
      tryNative(format, {
        rm,
        result,
        value: nativeSquareRoot(format, a),
        safe: isSafelyNormal(format, result),
      }),
      giveBack(call('i64', softSqrtSignature(format), [a, rm])),
    ],
  );
}

function defineSoftDivide(module: ModuleBuilder, format: FloatFormat): void {
  const a = local('i64');
  const b = local('i64');
  const rm = local('i32');
  const sign = local('i64');
  const dividend = fmt.unpack(format, a);
  const divisor = fmt.unpack(format, b);
  const quotient = local('i64');
  const remainder = local('i64');
  const exponents = i64.sub(dividend.exponent, divisor.exponent);
  const stepBits = 63 - format.fractionBits;
  const steps = Math.ceil((format.fractionBits + 3) / stepBits);
  const step: readonly Stmt[] = [
    set(remainder, i64.shl(remainder, i64.const(stepBits))),
    set(
      quotient,
      i64.add(i64.shl(quotient, i64.const(stepBits)), i64.divU(remainder, divisor.significand)),
    ),
    set(remainder, i64.remU(remainder, divisor.significand)),
  ];
  const align = i64.shl(quotient, i64.const(LEADING_BIT - steps * stepBits));
  module.define(
    softDivideSignature(format),
    [a, b, rm],
    [
      set(sign, fmt.signOf(format, i64.xor(a, b))),
      ...specialQuotient(format, a, b, sign),
      ...dividend.code,
      ...divisor.code,
      set(remainder, i64.shrU(dividend.significand, i64.const(format.guardBits))),
      set(divisor.significand, i64.shrU(divisor.significand, i64.const(format.guardBits))),
      ...Array.from({ length: steps }, () => step).flat(),
      set(quotient, i64.or(align, sticky(remainder))),
      giveBack(
        roundPack(
          format,
          { sign, exponent: i64.add(exponents, i64.const(format.bias)), significand: quotient },
          rm,
        ),
      ),
    ],
  );
}

function specialQuotient(
  format: FloatFormat,
  a: Local<'i64'>,
  b: Local<'i64'>,
  sign: Local<'i64'>,
): readonly Stmt[] {
  const zero = fmt.placeSign(format, sign);
  const infinity = i64.or(zero, i64.const(format.infinity));
  const returnInfinity = giveBack(fmt.box(format, infinity));
  return [
    unlikely(i32.or(fmt.isSpecial(format, a), fmt.isSpecial(format, b)), [
      when(i32.or(fmt.isNan(format, a), fmt.isNan(format, b)), [
        giveBack(propagateNan(format, a, b)),
      ]),
      when(fmt.isInfinite(format, a), [
        when(fmt.isInfinite(format, b), fmt.invalid(format)),
        returnInfinity,
      ]),
      giveBack(fmt.box(format, zero)),
    ]),
    unlikely(fmt.isZero(format, b), [
      when(fmt.isZero(format, a), fmt.invalid(format)),
      raise(ExceptionFlag.divideByZero),
      returnInfinity,
    ]),
  ];
}

function defineSoftSqrt(module: ModuleBuilder, format: FloatFormat): void {
  const a = local('i64');
  const rm = local('i32');
  const value = fmt.unpack(format, a);
  const root = local('i64');
  // The radicand, in [1, 4), and its root, in [1, 2), are both scaled by 2^scale.
  const scale = format.fractionBits + 3;
  const unbiased = i64.sub(value.exponent, i64.const(format.bias));
  const odd = i64.and(value.exponent, i64.const(1));
  module.define(
    softSqrtSignature(format),
    [a, rm],
    [
      when(fmt.isNan(format, a), [giveBack(propagateNan(format, a))]),
      when(fmt.isZero(format, a), [giveBack(fmt.box(format, a))]),
      when(i64.ne(fmt.signOf(format, a), i64.const(0)), fmt.invalid(format)),
      when(fmt.isInfinite(format, a), [giveBack(fmt.box(format, a))]),
      ...value.code,
      set(value.significand, i64.shrU(value.significand, i64.const(LEADING_BIT - scale))),
      set(value.exponent, unbiased),
      set(value.significand, i64.shl(value.significand, odd)),
      ...integerRoot(value.significand, root, scale),
      set(root, i64.shl(root, i64.const(LEADING_BIT - scale))),
      giveBack(
        roundPack(
          format,
          {
            sign: i64.const(0),
            exponent: i64.add(i64.shrS(value.exponent, i64.const(1)), i64.const(format.bias)),
            significand: i64.or(root, sticky(value.significand)),
          },
          rm,
        ),
      ),
    ],
  );
}

/**
 * Square root bit by bit. Invariant: `remainder` is what `root`, so far, leaves of the radicand,
 * scaled up by two per step; `twice` is the root doubled in the same scale. Leaves a remainder of
 * zero exactly when the root is exact.
 */
function integerRoot(remainder: Local<'i64'>, root: Local<'i64'>, scale: number): readonly Stmt[] {
  const bit = local('i64');
  const twice = local('i64');
  const trial = local('i64');
  const again = label();
  const done = label();
  return [
    set(bit, i64.const(1n << BigInt(scale))),
    set(root, i64.const(0)),
    set(twice, i64.const(0)),
    block(done, [
      loop(again, [
        set(trial, i64.add(twice, bit)),
        when(i64.leU(trial, remainder), [
          set(twice, i64.add(trial, bit)),
          set(remainder, i64.sub(remainder, trial)),
          set(root, i64.add(root, bit)),
        ]),
        set(remainder, i64.shl(remainder, i64.const(1))),
        set(bit, i64.shrU(bit, i64.const(1))),
        brIf(done, i64.eqz(bit)),
        br(again),
      ]),
    ]),
  ];
}
