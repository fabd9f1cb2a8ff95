/**
 * Goal: a combination of limits that cannot work is refused.
 * Method: break one relation at a time.
 */

import test from 'ava';
import { AssertionError } from '../../../lib/base/assert.js';
import { DEFAULT_LIMITS, assertLimits, lagGrainMs } from '../../../lib/protocol/limits.js';
import type { PairLimits } from '../../../lib/protocol/limits.js';

test('the defaults hold together', (t) => {
  t.notThrows(() => assertLimits(DEFAULT_LIMITS));
  t.true(lagGrainMs(DEFAULT_LIMITS) < DEFAULT_LIMITS.heartbeatMs);
});

const WRONG: readonly (readonly [string, Partial<PairLimits>])[] = [
  ['a timeout below four heartbeats', { suspectMs: 199 }],
  ['a primary that gives up before its backup does', { backupSilentMs: 499 }],
  ['slow counting as dead', { ackStallMs: 1_000 }],
  ['less time to load than to stall', { joinMs: 4_999 }],
  ['a batch that waits longer than a heartbeat', { batchDelayMs: 50 }],
  ['a queue that holds no two batches', { unackedBytes: 100_000 }],
  ['a join that never comes near enough', { joinLagBytes: 64 * 1024 * 1024 }],
  ['a first wait above the longest', { redialMs: 2_000 }],
  ['a throttle that never opens', { throttleMinPermille: 1_000 }],
  ['a limit of nothing', { heldBytes: 0 }],
  ['a limit that is no number', { lagTargetMs: Number.NaN }],
];

for (const [what, change] of WRONG) {
  test(`limits are refused: ${what}`, (t) => {
    t.throws(() => assertLimits({ ...DEFAULT_LIMITS, ...change }), { instanceOf: AssertionError });
  });
}
