/**
 * Goal: regions hold what can be reached and nothing that must not be compiled.
 * Method: small programs assembled in the test, discovered without a machine.
 */

import test from 'ava';
import { REGION_INSTRUCTIONS_MAX } from '../../../lib/jit/region.js';
import { regionOf } from '../../support/region.js';

test('what the hart carries out is left out of a region, which is entered again behind it', (t) => {
  const region = regionOf('addi a0,a0,1\n  csrr a1,instret\n  addi a0,a0,2\n  ebreak');
  t.is(region.instructionCount, 2);
  t.deepEqual(
    region.entries.map((pc) => pc - region.start),
    [0n, 8n],
  );
});

test('nothing behind a return from a trap belongs to a region', (t) => {
  for (const name of ['mret', 'sret', 'ebreak']) {
    t.is(regionOf(`addi a0,a0,1\n  ${name}\n  addi a0,a0,2`).instructionCount, 1);
  }
});

test('the place behind a call is an entry', (t) => {
  const region = regionOf('call callee\n  addi a0,a0,1\n  ebreak\ncallee:\n  ret');
  t.is(region.entries.length, 2);
});

test('a region is bounded however long the code is', (t) => {
  const region = regionOf('addi a0,a0,1\n'.repeat(2 * REGION_INSTRUCTIONS_MAX));
  t.true(region.instructionCount <= REGION_INSTRUCTIONS_MAX);
});
