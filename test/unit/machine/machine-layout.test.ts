/**
 * Goal: every thread plans the same memory from a configuration, and what threads share beside the
 * guest's state is in no description of it.
 * Method: layouts of equal and of different configurations.
 */

import test from 'ava';
import { machineLayout } from '../../../lib/machine/machine-layout.js';
import { PROGRAM_CONFIG } from '../../support/program.js';

test('a layout is a function of the configuration', (t) => {
  const turns = { ...PROGRAM_CONFIG, harts: 2 };
  const parallel = { ...turns, schedule: 'parallel' as const };
  t.is(machineLayout(parallel).totalBytes, machineLayout({ ...parallel }).totalBytes);
  t.is(machineLayout(parallel).description, machineLayout(turns).description);
  t.is(machineLayout(parallel).wordsEnd, machineLayout(turns).wordsEnd);
  t.true(machineLayout(parallel).offsetOf('page-owners') > 0);
  t.throws(() => machineLayout(turns).offsetOf('page-owners'));
});
