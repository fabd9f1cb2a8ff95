/**
 * Goal: a fused multiply-add rounds once, with all four signs.
 * Method: seeded vectors, each executed by the library and by an emulated RISC-V instruction.
 */

import test from 'ava';
import type { FloatFunction } from '../../../../lib/riscv/float/library.js';
import { agreesWithOracle } from '../../../support/float-oracle-check.js';

const OPERATIONS: readonly FloatFunction[] = ['f32_fma', 'f64_fma'];

for (const operation of OPERATIONS) {
  test(`${operation} has the value and the flags of a RISC-V instruction`, (t) => {
    agreesWithOracle(t, operation);
  });
}
