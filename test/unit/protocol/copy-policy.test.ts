/**
 * Goal: a copy ends with a short stop where the guest lets it, and ends in any case.
 * Method: guests that write at different rates, as rounds of figures.
 */

import test from 'ava';
import {
  CopyPolicy,
  TARGET_STOP_MS,
  type CopyDecision,
} from '../../../lib/protocol/copy-policy.js';

/** Milliseconds that the guest stands still for a page. */
const PAGE_MS = 0.005;

/** Copies a machine of `pages` whose guest writes `share` of the pages that a round copies. */
function copy(pages: number, share: (permille: number) => number): CopyDecision[] {
  const policy = new CopyPolicy();
  const decisions: CopyDecision[] = [];
  let due = pages;
  let permille = 1000;
  for (;;) {
    const leftPages = Math.round(due * share(permille));
    const figures = { copiedPages: due, stoodStillMs: due * PAGE_MS, leftPages };
    const decision = policy.decide(figures);
    decisions.push(decision);
    if (decision.kind !== 'round') return decisions;
    due = leftPages;
    permille = decision.permille;
  }
}

test('an idle guest is stopped after the first round', (t) => {
  t.deepEqual(
    copy(65_536, () => 0),
    [{ kind: 'finish', estimatedMs: 0 }],
  );
});

test('a guest that writes slower than it is copied converges at full speed', (t) => {
  const decisions = copy(65_536, () => 0.2);
  t.true(decisions.length <= 4);
  const last = decisions.pop();
  t.true(last?.kind === 'finish' && last.estimatedMs <= TARGET_STOP_MS);
  t.true(decisions.every((one) => one.kind === 'round' && one.permille === 1000));
});

test('a guest that writes as fast as it is copied is slowed until it converges', (t) => {
  const decisions = copy(65_536, (permille) => permille / 1000);
  const last = decisions.pop();
  t.true(last?.kind === 'finish' && last.estimatedMs <= TARGET_STOP_MS);
  t.true(decisions.some((one) => one.kind === 'round' && one.permille < 1000));
});

test('a guest that can’t be slowed enough is stopped for longer, and that is said', (t) => {
  const decisions = copy(65_536, () => 1);
  const last = decisions.at(-1);
  t.is(last?.kind, 'accept');
  t.true(last?.kind === 'accept' && last.estimatedMs > TARGET_STOP_MS);
  t.true(decisions.length <= 16);
});

test('a copy that keeps getting a little better ends all the same', (t) => {
  t.true(copy(3 << 20, () => 0.69).length <= 16);
});
