/**
 * Goal: harts that steal too much take turns, the longer it goes on the longer, and try again.
 * Method: the policy, told of runs.
 */

import test from 'ava';
import {
  isThrashing,
  stepsForSteal,
  TurnPolicy,
} from '../../../../lib/machine/parallel/turn-policy.js';

const cameTo = (steps: number, steals: number) => ({ steps, steals, stepsForSteal: 6_000 });

function turnsOf(policy: TurnPolicy): number {
  let turns = 0;
  while (policy.isTurn()) turns++;
  return turns;
}

test('who shares nothing never takes turns', (t) => {
  const policy = new TurnPolicy();
  for (let run = 0; run < 100; run++) {
    policy.note(cameTo(300_000, 3));
    t.is(turnsOf(policy), 0);
  }
});

test('turns become more while sharing goes on, and fewer when it ends', (t) => {
  const policy = new TurnPolicy();
  const turns = Array.from({ length: 7 }, () => {
    policy.note(cameTo(300_000, 200));
    return turnsOf(policy);
  });
  t.deepEqual(turns, [8, 16, 32, 64, 128, 128, 128]);
  for (let run = 0; run < 10; run++) policy.note(cameTo(300_000, 0));
  policy.note(cameTo(300_000, 200));
  t.is(turnsOf(policy), 8);
});

test('a run too short to judge by says nothing', (t) => {
  const policy = new TurnPolicy();
  policy.note(cameTo(100, 1));
  t.is(turnsOf(policy), 0);
});

test('a run is ended while it goes on only if many steals tell that it does not pay', (t) => {
  t.false(isThrashing(cameTo(10, 3)), 'a few at the beginning');
  t.true(isThrashing(cameTo(100_000, 100)));
  t.false(isThrashing(cameTo(100_000_000, 100)));
});

test('a guest that runs fast loses more by a steal', (t) => {
  t.is(stepsForSteal(10_000), 6_000);
  t.is(stepsForSteal(8_000_000), 250_000);
});
