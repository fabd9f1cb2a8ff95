/**
 * Integer helpers wider than one WebAssembly instruction: the high half of a product, and right
 * shifts that keep every lost bit alive as a sticky bit 0 ("jamming").
 */

import { call, local, set, when } from '../../wasm/ir.js';
import type { Expr, FunctionSignature, Local, Stmt } from '../../wasm/ir.js';
import type { ModuleBuilder } from '../../wasm/module.js';
import { i64 } from '../../wasm/ops.js';
import { giveBack } from './format.js';

const MULTIPLY_HIGH: FunctionSignature = {
  name: 'float_multiply_high',
  params: ['i64', 'i64'],
  result: 'i64',
};

const SHIFT_RIGHT_JAM: FunctionSignature = {
  name: 'float_shift_right_jam',
  params: ['i64', 'i64'],
  result: 'i64',
};

/** Bits 64 to 127 of the unsigned product. */
export function multiplyHigh(a: Expr<'i64'>, b: Expr<'i64'>): Expr<'i64'> {
  return call('i64', MULTIPLY_HIGH, [a, b]);
}

/** `value >> count` (unsigned, any count from 0), with bit 0 set if a one was lost. */
export function shiftRightJam(value: Expr<'i64'>, count: Expr<'i64'>): Expr<'i64'> {
  return call('i64', SHIFT_RIGHT_JAM, [value, count]);
}

/** 1 if the value is not zero, as i64: a sticky bit. */
export function sticky(value: Expr<'i64'>): Expr<'i64'> {
  return i64.extendI32U(i64.ne(value, i64.const(0)));
}

/** A 128-bit unsigned integer in two locals. */
export interface Wide {
  readonly high: Local<'i64'>;
  readonly low: Local<'i64'>;
}

export function wide(): Wide {
  return { high: local('i64'), low: local('i64') };
}

/** Shifts `value` right by `count`, which is at least 1, keeping a sticky bit 0. */
export function shiftWideRightJam(value: Wide, count: Local<'i64'>): Stmt {
  const { high, low } = value;
  const back = i64.sub(i64.const(64), count);
  return when(
    i64.ltU(count, i64.const(64)),
    [
      set(
        low,
        i64.or(i64.or(i64.shl(high, back), i64.shrU(low, count)), sticky(i64.shl(low, back))),
      ),
      set(high, i64.shrU(high, count)),
    ],
    [
      set(low, i64.or(shiftRightJam(high, i64.sub(count, i64.const(64))), sticky(low))),
      set(high, i64.const(0)),
    ],
  );
}

/** `into += other`; the sum fits in 128 bits. */
export function addWide(into: Wide, other: Wide): readonly Stmt[] {
  return [
    set(into.low, i64.add(into.low, other.low)),
    set(
      into.high,
      i64.add(i64.add(into.high, other.high), i64.extendI32U(i64.ltU(into.low, other.low))),
    ),
  ];
}

/** `into -= other`, as two's complement: bit 127 set means negative. */
export function subtractWide(into: Wide, other: Wide): readonly Stmt[] {
  return [
    set(
      into.high,
      i64.sub(i64.sub(into.high, other.high), i64.extendI32U(i64.ltU(into.low, other.low))),
    ),
    set(into.low, i64.sub(into.low, other.low)),
  ];
}

export function negateWide(value: Wide): readonly Stmt[] {
  const zero = i64.const(0);
  return [
    set(value.high, i64.sub(i64.sub(zero, value.high), sticky(value.low))),
    set(value.low, i64.sub(zero, value.low)),
  ];
}

export function defineWide(module: ModuleBuilder): void {
  defineMultiplyHigh(module);
  defineShiftRightJam(module);
}

/** Schoolbook multiplication of 32-bit halves; no partial sum exceeds 64 bits. */
function defineMultiplyHigh(module: ModuleBuilder): void {
  const a = local('i64');
  const b = local('i64');
  const aLow = local('i64');
  const bLow = local('i64');
  const middle = local('i64');
  const half = i64.const(32);
  const mask = i64.const(0xffffffffn);
  module.define(
    MULTIPLY_HIGH,
    [a, b],
    [
      set(aLow, i64.and(a, mask)),
      set(bLow, i64.and(b, mask)),
      set(a, i64.shrU(a, half)),
      set(b, i64.shrU(b, half)),
      set(middle, i64.add(i64.mul(a, bLow), i64.shrU(i64.mul(aLow, bLow), half))),
      set(aLow, i64.add(i64.mul(aLow, b), i64.and(middle, mask))),
      giveBack(i64.add(i64.mul(a, b), i64.add(i64.shrU(middle, half), i64.shrU(aLow, half)))),
    ],
  );
}

function defineShiftRightJam(module: ModuleBuilder): void {
  const value = local('i64');
  const count = local('i64');
  module.define(
    SHIFT_RIGHT_JAM,
    [value, count],
    [
      when(i64.eqz(count), [giveBack(value)]),
      when(i64.gtU(count, i64.const(63)), [giveBack(sticky(value))]),
      giveBack(
        i64.or(i64.shrU(value, count), sticky(i64.shl(value, i64.sub(i64.const(64), count)))),
      ),
    ],
  );
}
