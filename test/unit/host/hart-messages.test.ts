/**
 * Goal: errors cross the border between threads with their code and fields; both sides see one
 * control block.
 */

import test from 'ava';
import { LockstepError } from '../../../lib/base/error.js';
import { MAX_HARTS } from '../../../lib/machine/config.js';
import {
  CONTROL,
  createControlBuffer,
  packError,
  PROGRESS,
  unpackError,
  viewControl,
} from '../../../lib/host/hart-messages.js';

test('an expected failure keeps code, message and fields', (t) => {
  const packed = structuredClone(
    packError(new LockstepError('DIVERGED', 'it differs', { seq: 5n })),
  );
  const error = unpackError(packed);
  if (!(error instanceof LockstepError)) return t.fail();
  t.is(error.code, 'DIVERGED');
  t.is(error.message, 'it differs');
  t.deepEqual(error.fields, { seq: 5n });
});

test('any other error keeps its name and message, and has no code', (t) => {
  const error = unpackError(structuredClone(packError(new RangeError('too far'))));
  t.false(error instanceof LockstepError);
  t.is(error.message, 'RangeError: too far');
  t.is(unpackError(packError('text')).message, 'text');
});

test('both threads see the same words, and none overlaps another', (t) => {
  const buffer = createControlBuffer();
  const [a, b] = [viewControl(buffer), viewControl(buffer)];
  for (const word of Object.values(CONTROL)) Atomics.store(a.words, word, word + 1);
  for (let word = 0; word < PROGRESS.steps + MAX_HARTS; word++) {
    Atomics.store(a.progress, word, BigInt(word) + (1n << 40n));
  }
  for (const word of Object.values(CONTROL)) t.is(Atomics.load(b.words, word), word + 1);
  t.is(Atomics.load(b.progress, PROGRESS.steps + MAX_HARTS - 1), (1n << 40n) + 15n);
});
