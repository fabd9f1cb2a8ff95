/**
 * Addition, subtraction and multiplication.
 *
 * Sums align the significands with at least ten guard bits and a sticky bit, which is enough for
 * a correct rounding in every mode: a cancellation of more than one bit happens only where the
 * alignment lost none. Products keep the high 64 bits of the exact product and a sticky bit.
 */

import { call, local, set, unlikely, when } from '../../wasm/ir.js';
import type { FunctionSignature, Local, Stmt } from '../../wasm/ir.js';
import type { ModuleBuilder } from '../../wasm/module.js';
import { i32, i64 } from '../../wasm/ops.js';
import * as fmt from './format.js';
import { LEADING_BIT, RoundingMode, giveBack, type FloatFormat } from './format.js';
import { isSafeSum, isSafelyNormal, nativeBinary, tryNative } from './native.js';
import { propagateNan, roundPack } from './round-pack.js';
import { FLOAT } from './signatures.js';
import { multiplyHigh, shiftRightJam, sticky } from './wide.js';

/** Integer code of an operation: plain operands in, boxed result out. */
function softSignature(format: FloatFormat, operation: 'add' | 'mul'): FunctionSignature {
  return {
    name: `${format.name}_${operation}_soft`,
    params: ['i64', 'i64', 'i32'],
    result: 'i64',
  };
}

export function defineAddMul(module: ModuleBuilder, format: FloatFormat): void {
  defineSoftAdd(module, format);
  defineSoftMul(module, format);
  for (const operation of ['add', 'sub', 'mul'] as const) defineEntry(module, format, operation);
}

function defineEntry(
  module: ModuleBuilder,
  format: FloatFormat,
  operation: 'add' | 'sub' | 'mul',
): void {
  const a = local('i64');
  const b = local('i64');
  const rm = local('i32');
  const result = local('i64');
  const soft = softSignature(format, operation === 'mul' ? 'mul' : 'add');
  const second = operation === 'sub' ? i64.xor(b, i64.const(format.signBit)) : b;
  module.define(
    FLOAT[`${format.name}_${operation}`],
    [a, b, rm],
    [
      ...fmt.unboxAll(format, [a, b]),
      tryNative(format, {
        rm,
        result,
        value: nativeBinary(format, operation, a, b),
        safe: operation === 'mul' ? isSafelyNormal(format, result) : isSafeSum(format, result),
      }),
      giveBack(call('i64', soft, [a, second, rm])),
    ],
  );
}

function defineSoftAdd(module: ModuleBuilder, format: FloatFormat): void {
  const a = local('i64');
  const b = local('i64');
  const rm = local('i32');
  const sign = local('i64');
  const exponent = local('i64');
  const significandA = local('i64');
  const significandB = local('i64');
  const distance = local('i64');
  const zero = i64.const(0);
  const sameSign = i64.eq(fmt.signOf(format, a), fmt.signOf(format, b));
  const roundedTo = (significand: Local<'i64'>): Stmt =>
    giveBack(roundPack(format, { sign, exponent, significand }, rm));
  module.define(
    softSignature(format, 'add'),
    [a, b, rm],
    [
      unlikely(
        i32.or(fmt.isSpecial(format, a), fmt.isSpecial(format, b)),
        specialSum(format, a, b),
      ),
      ...unpackAligned(format, a, exponent, significandA),
      ...unpackAligned(format, b, distance, significandB),
      set(distance, i64.sub(exponent, distance)),
      when(
        i64.ltS(distance, zero),
        [
          set(exponent, i64.sub(exponent, distance)),
          set(significandA, shiftRightJam(significandA, i64.sub(zero, distance))),
        ],
        [set(significandB, shiftRightJam(significandB, distance))],
      ),
      set(sign, fmt.signOf(format, a)),
      when(sameSign, [
        set(significandA, i64.add(significandA, significandB)),
        roundedTo(significandA),
      ]),
      set(significandA, i64.sub(significandA, significandB)),
      when(
        i64.eqz(significandA),
        [set(sign, i64.extendI32U(i32.eq(rm, i32.const(RoundingMode.RDN))))],
        [
          when(i64.ltS(significandA, zero), [
            set(significandA, i64.sub(zero, significandA)),
            set(sign, i64.xor(sign, i64.const(1))),
          ]),
        ],
      ),
      roundedTo(significandA),
    ],
  );
}

/** Like `unpack`, but leaves subnormals at exponent 1, where they can be added as they are. */
function unpackAligned(
  format: FloatFormat,
  plain: Local<'i64'>,
  exponent: Local<'i64'>,
  significand: Local<'i64'>,
): readonly Stmt[] {
  const fraction = i64.and(plain, i64.const(format.fractionMask));
  const subnormal = i64.extendI32U(i64.eqz(exponent));
  const leading = i64.shl(sticky(exponent), i64.const(LEADING_BIT));
  return [
    set(exponent, fmt.exponentOf(format, plain)),
    set(significand, i64.or(i64.shl(fraction, i64.const(format.guardBits)), leading)),
    set(exponent, i64.add(exponent, subnormal)),
  ];
}

function specialSum(format: FloatFormat, a: Local<'i64'>, b: Local<'i64'>): readonly Stmt[] {
  const bothInfinite = i32.and(fmt.isInfinite(format, a), fmt.isInfinite(format, b));
  return [
    when(i32.or(fmt.isNan(format, a), fmt.isNan(format, b)), [
      giveBack(propagateNan(format, a, b)),
    ]),
    when(i32.and(bothInfinite, i64.ne(a, b)), fmt.invalid(format)),
    when(fmt.isInfinite(format, a), [giveBack(fmt.box(format, a))]),
    giveBack(fmt.box(format, b)),
  ];
}

function defineSoftMul(module: ModuleBuilder, format: FloatFormat): void {
  const a = local('i64');
  const b = local('i64');
  const rm = local('i32');
  const sign = local('i64');
  const product = local('i64');
  const first = fmt.unpack(format, a);
  const second = fmt.unpack(format, b);
  const one = i64.const(1);
  const exponents = i64.add(first.exponent, second.exponent);
  module.define(
    softSignature(format, 'mul'),
    [a, b, rm],
    [
      set(sign, fmt.signOf(format, i64.xor(a, b))),
      unlikely(
        i32.or(fmt.isSpecial(format, a), fmt.isSpecial(format, b)),
        specialProduct(format, a, b, sign),
      ),
      ...first.code,
      ...second.code,
      // With both leading ones at bit 63 the product's is at bit 126 or 127.
      set(first.significand, i64.shl(first.significand, one)),
      set(second.significand, i64.shl(second.significand, one)),
      set(product, multiplyHigh(first.significand, second.significand)),
      set(product, i64.or(product, sticky(i64.mul(first.significand, second.significand)))),
      giveBack(
        roundPack(
          format,
          { sign, exponent: i64.sub(exponents, i64.const(format.bias)), significand: product },
          rm,
        ),
      ),
    ],
  );
}

function specialProduct(
  format: FloatFormat,
  a: Local<'i64'>,
  b: Local<'i64'>,
  sign: Local<'i64'>,
): readonly Stmt[] {
  const infinity = i64.or(fmt.placeSign(format, sign), i64.const(format.infinity));
  return [
    when(i32.or(fmt.isNan(format, a), fmt.isNan(format, b)), [
      giveBack(propagateNan(format, a, b)),
    ]),
    when(i32.or(fmt.isZero(format, a), fmt.isZero(format, b)), fmt.invalid(format)),
    giveBack(fmt.box(format, infinity)),
  ];
}
