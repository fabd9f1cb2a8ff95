/**
 * Goal: a question to the arbiter is asked at once, and again until it is answered, never twice at
 * a time.
 */

import test from 'ava';
import { Arbitration } from '../../../lib/protocol/arbitration.js';
import { DEFAULT_LIMITS } from '../../../lib/protocol/limits.js';

const { arbiterTimeoutMs, arbiterRetryMs } = DEFAULT_LIMITS;

test('it is asked at once, and not again before the time for an answer is over', (t) => {
  const arbitration = new Arbitration(2n, 100, DEFAULT_LIMITS);
  t.true(arbitration.isDue(100));
  t.false(arbitration.isDue(100 + arbiterTimeoutMs - 1));
  t.true(arbitration.isDue(100 + arbiterTimeoutMs));
});

test('a refusal to answer is followed by the same question', (t) => {
  const arbitration = new Arbitration(2n, 100, DEFAULT_LIMITS);
  t.true(arbitration.isDue(100));
  arbitration.postpone(110);
  t.is(arbitration.wakeAtMs(), 110 + arbiterRetryMs);
  t.false(arbitration.isDue(110));
  t.true(arbitration.isDue(110 + arbiterRetryMs));
});

test('generation 0 does not exist', (t) => {
  t.throws(() => new Arbitration(0n, 0, DEFAULT_LIMITS));
});
