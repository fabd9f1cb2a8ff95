/**
 * Goal: a backup acknowledges receipt at once and progress of replay only from time to time.
 */

import test from 'ava';
import { AckPacer } from '../../../lib/protocol/ack-pacer.js';
import { DEFAULT_LIMITS } from '../../../lib/protocol/limits.js';

test('what was demanded is acknowledged once', (t) => {
  const pacer = new AckPacer();
  t.false(pacer.takes(0n, 100, DEFAULT_LIMITS));
  pacer.demand();
  t.true(pacer.takes(0n, 100, DEFAULT_LIMITS));
  t.false(pacer.takes(0n, 100, DEFAULT_LIMITS));
  pacer.demand();
  pacer.cancel();
  t.false(pacer.takes(0n, 100, DEFAULT_LIMITS));
});

test('progress of replay waits for its time', (t) => {
  const pacer = new AckPacer();
  pacer.demand();
  t.true(pacer.takes(1n, 100, DEFAULT_LIMITS));
  t.is(pacer.wakeAtMs(1n, DEFAULT_LIMITS), Infinity);
  const dueMs = 100 + DEFAULT_LIMITS.ackProgressMs;
  t.is(pacer.wakeAtMs(2n, DEFAULT_LIMITS), dueMs);
  t.false(pacer.takes(2n, dueMs - 1, DEFAULT_LIMITS));
  t.true(pacer.takes(2n, dueMs, DEFAULT_LIMITS));
});

test('a new stream is told everything', (t) => {
  const pacer = new AckPacer();
  pacer.demand();
  t.true(pacer.takes(9n, 100, DEFAULT_LIMITS));
  pacer.restart();
  t.true(pacer.takes(9n, 100, DEFAULT_LIMITS));
});
