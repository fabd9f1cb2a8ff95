/**
 * Goal: what harts in parallel see of each other is sequentially consistent, really races, and is
 * the same in every replay.
 * Method: the litmus tests of `npm run campaign:litmus`, some runs of each: the variables on one
 * page and on two, the guest interpreted and compiled; and again with threads held up at random.
 */

import test from 'ava';
import { LITMUS, runLitmus } from '../support/litmus.js';
import { COMPILER, INTERPRETER } from '../support/program.js';
import { Random } from '../support/random.js';

const ROUNDS = 40;
const CHAOS_ROUNDS = 15;

for (const litmus of LITMUS) {
  test.serial(`${litmus.name} is consistent, and replays`, (t) => {
    t.timeout(120_000);
    const random = new Random(7);
    const outcomes = new Map<string, number>();
    for (const engine of [COMPILER, INTERPRETER]) {
      for (const samePage of [true, false]) {
        const run = runLitmus(litmus, { rounds: ROUNDS, samePage, random }, engine);
        t.is(run.fault, null);
        for (const [outcome, count] of run.histogram) {
          outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + count);
        }
      }
    }
    if (litmus.isRacy) t.true(outcomes.size > 1, 'it raced');
    t.log([...outcomes].map(([outcome, count]) => `${outcome}: ${count}`).join(', '));
  });
}

for (const litmus of LITMUS) {
  test.serial(`${litmus.name} is consistent, and replays, with its threads held up`, (t) => {
    t.timeout(120_000);
    const random = new Random(11);
    for (const samePage of [true, false]) {
      const plan = { rounds: CHAOS_ROUNDS, samePage, random, isChaotic: true };
      t.is(runLitmus(litmus, plan, COMPILER).fault, null);
    }
  });
}
