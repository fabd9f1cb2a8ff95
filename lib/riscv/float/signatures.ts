/**
 * Names and types of the library's functions, for those who call them.
 *
 * Registers are i64 (boxed, see `format.ts`), integers are i64 as in an x register, `rm` is a
 * resolved rounding mode. Flags are accumulated in the module's global and not returned.
 */

import type { FunctionSignature, ValueType } from '../../wasm/ir.js';

const REGISTER_OPERATIONS = {
  /** (a, b, rm) */
  add: ['i64', 'i64', 'i32'],
  sub: ['i64', 'i64', 'i32'],
  mul: ['i64', 'i64', 'i32'],
  div: ['i64', 'i64', 'i32'],
  /** (a, rm) */
  sqrt: ['i64', 'i32'],
  /** (a, b, c, negateProduct, negateAddend, rm): ±(a × b) ± c with one rounding. */
  fma: ['i64', 'i64', 'i64', 'i32', 'i32', 'i32'],
  /** (a, b) */
  min: ['i64', 'i64'],
  max: ['i64', 'i64'],
  eq: ['i64', 'i64'],
  lt: ['i64', 'i64'],
  le: ['i64', 'i64'],
  sgnj: ['i64', 'i64'],
  sgnjn: ['i64', 'i64'],
  sgnjx: ['i64', 'i64'],
  /** (a) */
  class: ['i64'],
  /** (a, rm); 32-bit results are sign-extended. */
  to_i32: ['i64', 'i32'],
  to_u32: ['i64', 'i32'],
  to_i64: ['i64', 'i32'],
  to_u64: ['i64', 'i32'],
} as const satisfies Readonly<Record<string, readonly ValueType[]>>;

const CONVERSIONS = {
  /** (integer, rm) */
  i32_to_f32: ['i64', 'i32'],
  u32_to_f32: ['i64', 'i32'],
  i64_to_f32: ['i64', 'i32'],
  u64_to_f32: ['i64', 'i32'],
  i32_to_f64: ['i64', 'i32'],
  u32_to_f64: ['i64', 'i32'],
  i64_to_f64: ['i64', 'i32'],
  u64_to_f64: ['i64', 'i32'],
  /** (a): exact. */
  f32_to_f64: ['i64'],
  /** (a, rm) */
  f64_to_f32: ['i64', 'i32'],
} as const satisfies Readonly<Record<string, readonly ValueType[]>>;

export type FloatOperation = keyof typeof REGISTER_OPERATIONS;
export type FloatFunction = `${'f32' | 'f64'}_${FloatOperation}` | keyof typeof CONVERSIONS;

function signatures(): Record<FloatFunction, FunctionSignature> {
  const table: Partial<Record<string, FunctionSignature>> = {};
  const enter = (name: string, params: readonly ValueType[]): void => {
    table[name] = { name, params, result: 'i64' };
  };
  for (const [operation, params] of Object.entries(REGISTER_OPERATIONS)) {
    enter(`f32_${operation}`, params);
    enter(`f64_${operation}`, params);
  }
  for (const [name, params] of Object.entries(CONVERSIONS)) enter(name, params);
  return table as Record<FloatFunction, FunctionSignature>;
}

/** Every function of the library by name: `FLOAT.f64_add`. */
export const FLOAT: Readonly<Record<FloatFunction, FunctionSignature>> = signatures();
