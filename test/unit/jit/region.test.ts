/**
 * Goal: regions hold what can be reached and nothing that must not be compiled.
 * Method: small programs assembled in the test, discovered without a machine.
 */

import test from 'ava';
import { REGION_INSTRUCTIONS_MAX } from '../../../lib/jit/region.js';
import { regionOf } from '../../support/region.js';

test('a region ends before instructions that the hart carries out', (t) => {
  const region = regionOf('addi a0,a0,1\n  csrr a1,instret\n  addi a0,a0,2');
  t.is(region.instructionCount, 1);
});

test('the place behind a call is an entry', (t) => {
  const region = regionOf('call callee\n  addi a0,a0,1\n  ebreak\ncallee:\n  ret');
  t.is(region.entries.length, 2);
});

test('a region is bounded however long the code is', (t) => {
  const region = regionOf('addi a0,a0,1\n'.repeat(2 * REGION_INSTRUCTIONS_MAX));
  t.true(region.instructionCount <= REGION_INSTRUCTIONS_MAX);
});
