/**
 * Goal: harts that steal too much take turns, the longer it goes on the longer, and try again.
 * Method: the policy, told of runs.
 */

import test from 'ava';
import { TurnPolicy } from '../../../../lib/machine/parallel/turn-policy.js';

function turnsOf(policy: TurnPolicy): number {
  let turns = 0;
  while (policy.isTurn()) turns++;
  return turns;
}

test('who shares nothing never takes turns', (t) => {
  const policy = new TurnPolicy();
  for (let run = 0; run < 100; run++) {
    policy.note(300_000, 3);
    t.is(turnsOf(policy), 0);
  }
});

test('turns become more while sharing goes on, and fewer when it ends', (t) => {
  const policy = new TurnPolicy();
  const turns = Array.from({ length: 7 }, () => {
    policy.note(300_000, 200);
    return turnsOf(policy);
  });
  t.deepEqual(turns, [8, 16, 32, 64, 128, 128, 128]);
  for (let run = 0; run < 10; run++) policy.note(300_000, 0);
  policy.note(300_000, 200);
  t.is(turnsOf(policy), 8);
});

test('a run too short to judge by says nothing', (t) => {
  const policy = new TurnPolicy();
  policy.note(100, 1);
  t.is(turnsOf(policy), 0);
});
