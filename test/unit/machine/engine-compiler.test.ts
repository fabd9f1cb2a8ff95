/**
 * Goal: the choices of how guest code runs do what they say.
 * Method: one loop, run with each choice; its result, and what was counted.
 */

import test from 'ava';
import { compilerOf } from '../../../lib/machine/engine-compiler.js';
import { assemble } from '../../support/assembler.js';
import { Guest } from '../../support/program.js';

test('an interpreting engine has no compiler', (t) => {
  t.is(compilerOf({ engine: 'interpreter', hotAfter: 5 }), null);
  t.is(compilerOf({ engine: 'compiler', hotAfter: 5 })?.hotAfter, 5);
});

test('code compiled without the count does the same work and counts less', (t) => {
  const sum = assemble(`
    li a0,0
    li a1,200000
  again:
    add a0,a0,a1
    addi a1,a1,-1
    bnez a1,again
    li t0,0x100000
    li t1,0x5555
    sw t1,0(t0)
  stay:
    j stay
  `);
  const [counting, free] = [true, false].map((on) =>
    new Guest({ engine: 'compiler', hotAfter: 2, counting: on }).program(sum),
  );
  for (const guest of [counting, free]) {
    t.is(guest?.run(1_000_000n).reason, 'stopped');
    t.is(guest?.get('a0'), (200_000n * 200_001n) / 2n);
  }
  t.is(counting?.step, 600_007n);
  t.true((free?.step ?? 0n) < 1_000n);
});
