/**
 * Goal: no fault that the simulator knows breaks a promise, and it goes through the whole protocol.
 * Method: 10,000 seeds, each a world of its own; the transitions taken are compared with the
 * tables of both roles.
 */

import test from 'ava';
import { BACKUP_TRANSITIONS } from '../../lib/protocol/backup-states.js';
import { PRIMARY_TRANSITIONS } from '../../lib/protocol/primary-states.js';
import { arrows } from '../../lib/protocol/transition.js';
import { runSeed } from '../../lib/simulation/run.js';

const SEEDS = 10_000;
/** Seeds of one test: its progress shows on a slow machine. */
const PORTION = 1_000;
/** Every copy may be lost to faults, but a world in which that is the rule proves little. */
const MIN_SERVED_SHARE = 0.5;
const MIN_FAILOVERS = 5_000;

const taken = new Set<string>();
let served = 0;
let failovers = 0;

for (let first = 1; first <= SEEDS; first += PORTION) {
  const last = first + PORTION - 1;
  test.serial(`seeds ${first} to ${last} keep every promise`, (t) => {
    t.timeout(600_000);
    const failures: string[] = [];
    for (let seed = first; seed <= last; seed += 1) {
      const result = runSeed(seed);
      for (const transition of result.transitions) taken.add(transition);
      if (result.outcome === 'served') served += 1;
      failovers += result.failovers;
      const [violation] = result.violations;
      if (violation !== undefined) {
        failures.push(`${violation}; repeat: lockstep simulate --seed ${seed} --trace`);
      }
    }
    t.deepEqual(failures, []);
  });
}

test.serial('the seeds take every transition, and most of them serve to the end', (t) => {
  t.true(served >= SEEDS * MIN_SERVED_SHARE, `${served} seeds served`);
  t.true(failovers >= MIN_FAILOVERS, `${failovers} failovers`);
  const all = [
    ...arrows(PRIMARY_TRANSITIONS).map((arrow) => `primary: ${arrow}`),
    ...arrows(BACKUP_TRANSITIONS).map((arrow) => `backup: ${arrow}`),
  ];
  t.deepEqual(
    all.filter((arrow) => !taken.has(arrow)),
    [],
    'transitions that no seed took',
  );
});

test('a seed gives the same history each time', (t) => {
  for (const seed of [1, 7, 42, 715, 3_993]) {
    const lines: string[] = [];
    const first = runSeed(seed, { print: (line) => lines.push(line) });
    const again: string[] = [];
    const second = runSeed(seed, { print: (line) => again.push(line) });
    t.is(first.digest, second.digest);
    t.deepEqual(lines, again);
    t.true(lines.length > 0);
  }
});

test('different seeds give different histories', (t) => {
  const digests = new Set<number>();
  for (let seed = 1; seed <= 50; seed += 1) digests.add(runSeed(seed).digest);
  t.is(digests.size, 50);
});
