/**
 * Goal: a hart runs to its limit, stands where it is wanted to, and does what others left to it.
 * Method: the runner of hart 0 of a machine, its words set by hand.
 */

import test from 'ava';
import { parallelMachine } from '../../../support/parallel-guest.js';

test('harts go no further than their share of a run', (t) => {
  const machine = parallelMachine('loop: j loop', { harts: 2 });
  machine.runFor(1_000n);
  t.true(machine.steps() <= 1_000n);
  while (machine.steps() < 1_000n) machine.runFor(1_000n - machine.steps());
  t.is(machine.steps(), 1_000n, 'and any sum of steps can be met');
});

test('a run of harts that all wait ends at once', (t) => {
  const machine = parallelMachine('loop: wfi\n j loop', { harts: 2 });
  for (let run = 0; run < 1000 && !machine.isIdle(); run++) machine.runFor(10_000n);
  t.true(machine.isIdle());
  t.deepEqual(machine.runFor(10_000n), { reason: 'parked', deadline: null });
});
