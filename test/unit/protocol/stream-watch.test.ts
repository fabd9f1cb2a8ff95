/**
 * Goal: silence counts only while this process could have heard something.
 */

import test from 'ava';
import { BACKUP_POLICY } from '../../../lib/protocol/backup-policy.js';
import { DEFAULT_LIMITS } from '../../../lib/protocol/limits.js';
import { StreamWatch } from '../../../lib/protocol/stream-watch.js';

const { suspectMs, heartbeatMs, dialTimeoutMs } = DEFAULT_LIMITS;

test('silence is suspected at its limit', (t) => {
  const watch = new StreamWatch(DEFAULT_LIMITS, BACKUP_POLICY);
  watch.heardMs = 100;
  t.false(watch.isSilent(100 + suspectMs - 1));
  t.true(watch.isSilent(100 + suspectMs));
  t.is(watch.answerDueMs(), 100 + dialTimeoutMs);
  t.true(watch.isUnanswered(100 + dialTimeoutMs));
});

test('a process that did not run has heard nothing for that reason', (t) => {
  const watch = new StreamWatch(DEFAULT_LIMITS, BACKUP_POLICY);
  watch.heardMs = 100;
  watch.step(100, 100, 0);
  t.is(watch.wakeAtMs(), 100 + heartbeatMs);
  watch.step(2_000, watch.wakeAtMs(), 0);
  t.false(watch.isSilent(2_000));
  t.true(watch.isSilent(2_000 + suspectMs));
});

test('lateness within the grain of timers is no excuse', (t) => {
  const watch = new StreamWatch(DEFAULT_LIMITS, BACKUP_POLICY);
  watch.heardMs = 100;
  watch.step(102, 100, 2);
  t.is(watch.heardMs, 100);
});
