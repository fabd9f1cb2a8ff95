/**
 * Goal: conversions round, saturate and raise flags as RISC-V does.
 * Method: seeded vectors, each executed by the library and by an emulated RISC-V instruction.
 */

import test from 'ava';
import type { FloatFunction } from '../../../../lib/riscv/float/library.js';
import { agreesWithOracle } from '../../../support/float-oracle-check.js';

const OPERATIONS: readonly FloatFunction[] = [
  'f32_to_i32',
  'f32_to_u32',
  'f32_to_i64',
  'f32_to_u64',
  'f64_to_i32',
  'f64_to_u32',
  'f64_to_i64',
  'f64_to_u64',
  'i32_to_f32',
  'i32_to_f64',
  'u32_to_f32',
  'u32_to_f64',
  'i64_to_f32',
  'i64_to_f64',
  'u64_to_f32',
  'u64_to_f64',
  'f32_to_f64',
  'f64_to_f32',
];

for (const operation of OPERATIONS) {
  test(`${operation} has the value and the flags of a RISC-V instruction`, (t) => {
    agreesWithOracle(t, operation);
  });
}
