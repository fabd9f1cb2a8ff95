/**
 * Goal: comparisons, extrema, classes and signs treat NaN, zero and boxing as RISC-V does.
 * Method: seeded vectors, each executed by the library and by an emulated RISC-V instruction.
 */

import test from 'ava';
import type { FloatFunction } from '../../../../lib/riscv/float/library.js';
import { agreesWithOracle } from '../../../support/float-oracle-check.js';

const OPERATIONS: readonly FloatFunction[] = [
  'f32_eq',
  'f32_lt',
  'f32_le',
  'f32_min',
  'f32_max',
  'f32_sgnj',
  'f32_sgnjn',
  'f32_sgnjx',
  'f32_class',
  'f64_eq',
  'f64_lt',
  'f64_le',
  'f64_min',
  'f64_max',
  'f64_sgnj',
  'f64_sgnjn',
  'f64_sgnjx',
  'f64_class',
];

for (const operation of OPERATIONS) {
  test(`${operation} has the value and the flags of a RISC-V instruction`, (t) => {
    agreesWithOracle(t, operation);
  });
}
