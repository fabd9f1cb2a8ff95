/**
 * When the host's own floating point may stand in for the exact integer code.
 *
 * WebAssembly's add, subtract, multiply, divide, square root and demotion are correctly rounded
 * to nearest even on every host, but tell nothing about exceptions. They are taken when all that
 * they could hide is an inexact flag that is already set: the mode is RNE, NX is set, and the
 * result shows that nothing else happened.
 *
 * - A result with a biased exponent from 2 up to the largest finite one: the operands were finite
 *   (a NaN or infinity among them gives NaN, infinity or zero), no overflow (it would give
 *   infinity under RNE), no underflow (a result rounded up from the subnormal range has exponent
 *   1 at most).
 * - A sum or difference that is finite at all: every sum of two floats is a multiple of the
 *   smallest subnormal, so one below the normal range is exact, and no underflow can be due.
 *
 * A result that fails the test is thrown away with its host-dependent NaN bits, and the integer
 * code runs from the operands.
 */

import { global, set, when } from '../../wasm/ir.js';
import type { Expr, Local, Stmt } from '../../wasm/ir.js';
import { f32, f64, i32, i64 } from '../../wasm/ops.js';
import * as fmt from './format.js';
import { FLAGS_GLOBAL, giveBack, type FloatFormat } from './format.js';

export type NativeOperation = 'add' | 'sub' | 'mul' | 'div';

/** The rounding mode is to nearest even and NX is set. Relies on NX being bit 0. */
export function nearestAndInexact(rm: Expr<'i32'>): Expr<'i32'> {
  return i32.and(i32.eqz(rm), global('i32', FLAGS_GLOBAL));
}

/** Plain f32 bits as a WebAssembly float. */
export function asF32(plain: Expr<'i64'>): Expr<'f32'> {
  return f32.reinterpretI32(i32.wrap(plain));
}

export function fromF32(value: Expr<'f32'>): Expr<'i64'> {
  return i64.extendI32U(i32.reinterpretF32(value));
}

export function nativeBinary(
  format: FloatFormat,
  operation: NativeOperation,
  a: Expr<'i64'>,
  b: Expr<'i64'>,
): Expr<'i64'> {
  if (format.name === 'f32') return fromF32(f32[operation](asF32(a), asF32(b)));
  return i64.reinterpretF64(f64[operation](f64.reinterpretI64(a), f64.reinterpretI64(b)));
}

export function nativeSquareRoot(format: FloatFormat, a: Expr<'i64'>): Expr<'i64'> {
  if (format.name === 'f32') return fromF32(f32.sqrt(asF32(a)));
  return i64.reinterpretF64(f64.sqrt(f64.reinterpretI64(a)));
}

/** The result proves that neither overflow nor underflow nor an invalid operation happened. */
export function isSafelyNormal(format: FloatFormat, result: Expr<'i64'>): Expr<'i32'> {
  const aboveTwo = i64.sub(fmt.exponentOf(format, result), i64.const(2));
  return i64.ltU(aboveTwo, i64.const(format.exponentMax - 2));
}

/** The same for a sum or difference. */
export function isSafeSum(format: FloatFormat, result: Expr<'i64'>): Expr<'i32'> {
  return i32.eqz(fmt.isSpecial(format, result));
}

/** Returns the native result (plain bits) if it may be taken; otherwise goes on. */
export function tryNative(
  format: FloatFormat,
  options: {
    readonly rm: Expr<'i32'>;
    readonly result: Local<'i64'>;
    readonly value: Expr<'i64'>;
    readonly safe: Expr<'i32'>;
  },
): Stmt {
  return when(
    nearestAndInexact(options.rm),
    [
      set(options.result, options.value),
      when(options.safe, [giveBack(fmt.box(format, options.result))], [], 'likely'),
    ],
    [],
    'likely',
  );
}
