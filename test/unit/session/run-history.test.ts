/**
 * Goal: what happened in a run is told in an order in which no hart goes back.
 * Method: steals and interrupts of two harts.
 */

import test from 'ava';
import type { StealEvent } from '../../../lib/event/event.js';
import { historyOfRun, stepsAt } from '../../../lib/session/run-history.js';

const steal = (step0: bigint, step1: bigint): StealEvent => ({
  kind: 'steal',
  hart: 0,
  step: step0,
  page: 3,
  mode: 'read',
  byDevice: false,
  victims: [{ hart: 1, step: step1 }],
});

test('an interrupt comes before the steal at which its hart is past it', (t) => {
  const interrupts = [
    { hart: 0, step: 5n, cause: 1 },
    { hart: 0, step: 10n, cause: 2 },
    { hart: 1, step: 7n, cause: 3 },
    { hart: 1, step: 30n, cause: 4 },
  ];
  const history = historyOfRun([steal(10n, 8n), steal(20n, 9n)], interrupts);
  t.deepEqual(
    history.map((event) => (event.kind === 'interrupt' ? event.cause : event.kind)),
    [1, 3, 'steal', 2, 'steal', 4],
  );
});

test('a steal says where every hart stands', (t) => {
  t.deepEqual(
    [...stepsAt(steal(10n, 8n))],
    [
      [0, 10n],
      [1, 8n],
    ],
  );
});
