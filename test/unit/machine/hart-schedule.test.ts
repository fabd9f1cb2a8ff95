/**
 * Goal: what is asked of all harts together is the sum, the conjunction and the minimum.
 * Method: stand-ins with the parts that are asked.
 */

import test from 'ava';
import { earliestTimer, isIdle, stepsOf } from '../../../lib/machine/hart-schedule.js';
import type { HartView } from '../../../lib/riscv/hart-view.js';

const hart = (steps: bigint, parked: boolean, deadline: bigint | null): HartView =>
  ({ step: () => steps, parked, timers: { deadline: () => deadline } }) as unknown as HartView;

test('steps are added, idle is all, the earliest timer counts', (t) => {
  const harts = [hart(5n, true, 90n), hart(7n, true, null), hart(1n, true, 40n)];
  t.is(stepsOf(harts), 13n);
  t.true(isIdle(harts));
  t.false(isIdle([...harts, hart(0n, false, null)]));
  t.is(earliestTimer(harts), 40n);
  t.is(earliestTimer([hart(0n, true, null)]), null);
});
