/**
 * Goal: a replay of harts that take turns runs exactly to a point, in one piece or in many.
 * Method: a machine that loops, and entries of a log.
 */

import test from 'ava';
import { LockstepError } from '../../../lib/base/error.js';
import { TurnReplay } from '../../../lib/session/turn-replay.js';
import { Guest } from '../../support/program.js';

const horizon = (step: bigint) => ({ seq: 1n, event: { kind: 'horizon' as const, steps: [step] } });

test('a point is reached in pieces, and one in the past differs', (t) => {
  const { machine } = new Guest();
  const differs = (): LockstepError => new LockstepError('DIVERGED', 'differs');
  const replay = new TurnReplay(machine, differs, () => {
    machine.takeInterrupts();
    machine.takeOutput();
  });
  t.false(replay.reach(horizon(50n), 20n));
  t.is(machine.steps(), 20n);
  t.true(replay.reach(horizon(50n), 100n));
  t.is(machine.steps(), 50n);
  t.throws(() => replay.reach(horizon(49n), 100n), { code: 'DIVERGED' });
});
