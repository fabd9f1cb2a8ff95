/**
 * Goal: the simulator is not blind. Each planted bug falls into one trap of lock-step fault
 * tolerance, and a checker must see it.
 * Method: run seeds with the bug until one complains; the same seed must not complain without it.
 */

import test from 'ava';
import { MUTANTS } from '../../lib/simulation/mutants.js';
import { runSeed } from '../../lib/simulation/run.js';

const MAX_SEEDS = 1_000;
const MIN_TRAPS = 15;

for (const { name, trap, mistake, rules } of MUTANTS) {
  test(`trap ${trap}, ${name}: it is found out when ${mistake}`, (t) => {
    let seed = 1;
    let violation: string | undefined;
    for (; seed <= MAX_SEEDS && violation === undefined; seed += 1) {
      [violation] = runSeed(seed, { rules }).violations;
    }
    t.not(violation, undefined, `alive after ${MAX_SEEDS} seeds`);
    t.log(`seed ${seed - 1}: ${violation}`);
    t.deepEqual(runSeed(seed - 1).violations, [], 'the bug is what the checker saw');
  });
}

test(`planted bugs fall into at least ${MIN_TRAPS} different traps`, (t) => {
  t.true(new Set(MUTANTS.map(({ trap }) => trap)).size >= MIN_TRAPS);
  t.is(new Set(MUTANTS.map(({ name }) => name)).size, MUTANTS.length);
});
