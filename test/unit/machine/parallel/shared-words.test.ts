/**
 * Goal: what is written down for another thread is read once, in order, and no more than fits.
 * Method: the queues of shared words, filled to the brim.
 */

import test from 'ava';
import {
  ERRAND,
  FAILURE,
  MAX_INTERRUPTS,
  MAX_LOSSES,
  MAX_STEALS,
  WORD,
} from '../../../../lib/machine/parallel/shared-words.js';
import { sharedWords } from './shared.js';

test('more losses than fit make a hart forget everything', (t) => {
  const words = sharedWords(2);
  for (let page = 0; page < MAX_LOSSES; page++) words.addLoss(1, page, 'nothing');
  t.is(words.takeErrands(1), 0);
  words.addLoss(1, 9, 'read');
  t.is(words.takeErrands(1), ERRAND.forgetAll);
  const pages: number[] = [];
  words.takeLosses(1, (page) => pages.push(page));
  t.deepEqual(
    pages,
    Array.from({ length: MAX_LOSSES }, (_, page) => page),
  );
  words.takeLosses(1, () => t.fail('taken already'));
});

test('steals are taken in order, with the steps of all harts', (t) => {
  const words = sharedWords(3);
  words.steps.set([10, 20, 30]);
  words.addSteal({ hart: 2, page: 5, isWrite: true, byDevice: false });
  words.steps.set([11, 21, 31]);
  words.addSteal({ hart: 0, page: 6, isWrite: false, byDevice: true });
  t.deepEqual(words.takeSteals(), [
    { hart: 2, page: 5, isWrite: true, byDevice: false, steps: [10, 20, 30] },
    { hart: 0, page: 6, isWrite: false, byDevice: true, steps: [11, 21, 31] },
  ]);
  t.deepEqual(words.takeSteals(), []);
  t.true(words.hasRoomForSteals(MAX_STEALS));
  t.false(words.hasRoomForSteals(MAX_STEALS + 1));
});

test('interrupts are kept for each hart, as many as fit', (t) => {
  const words = sharedWords(2);
  for (let step = 0; step < MAX_INTERRUPTS; step++) words.addInterrupt(1, step, 5);
  t.false(words.hasRoomForInterrupts(1));
  t.true(words.hasRoomForInterrupts(0));
  t.is(words.takeInterrupts(1).length, MAX_INTERRUPTS);
  t.deepEqual(words.takeInterrupts(1), []);
});

test('the first failure stands, with its message', (t) => {
  const words = sharedWords(2);
  words.fail(FAILURE.exception, 1, { message: 'out of luck' });
  t.is(words.load(WORD.failure), FAILURE.exception);
  t.is(words.failureMessage(), 'out of luck');
});
