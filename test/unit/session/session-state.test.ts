/**
 * Goal: the state of a fresh log fits the machine that it begins with.
 */

import test from 'ava';
import { Hash64 } from '../../../lib/base/hash.js';
import { freshState } from '../../../lib/session/session-state.js';
import { newToy } from '../../support/session-run.js';

test('a fresh log has nothing behind it, wherever its machine stands', (t) => {
  const machine = newToy();
  machine.runUntil({ hart: 0, step: 1n });
  const state = freshState(machine, 10n);
  t.is(state.seq, 9n);
  t.is(state.epoch, 0n);
  t.is(state.checkStep, 1n);
  t.deepEqual(state.words, machine.words());
  t.deepEqual(state.history, new Hash64().save());
  t.deepEqual(state.streams, []);
});
