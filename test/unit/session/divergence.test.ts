/**
 * Goal: a divergence names place and values, for people and for programs.
 */

import test from 'ava';
import { diverged, hex } from '../../../lib/session/divergence.js';

test('message and fields say where, what, and both values', (t) => {
  const difference = {
    seq: 7n,
    hart: 0,
    step: 1234n,
    what: 'hart0.x[10]',
    expected: hex(255n),
    actual: hex(254n),
  };
  const error = diverged(difference);
  t.is(error.code, 'DIVERGED');
  t.deepEqual(error.fields, difference);
  t.is(
    error.message,
    'replica differs at entry 7, hart 0, step 1234: hart0.x[10] is 0xfe, the log says 0xff',
  );
});
