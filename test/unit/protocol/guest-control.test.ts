/**
 * Goal: the guest stands still exactly while a queue is full, and is told so once.
 */

import test from 'ava';
import { GuestControl } from '../../../lib/protocol/guest-control.js';
import { DEFAULT_LIMITS } from '../../../lib/protocol/limits.js';
import { PRIMARY_POLICY } from '../../../lib/protocol/primary-policy.js';
import { PrimarySession } from '../../../lib/protocol/primary-session.js';

const { heldBytes, unackedBytes } = DEFAULT_LIMITS;

test('held output pauses the guest at its limit, and resumes it below', (t) => {
  const guest = new GuestControl(PRIMARY_POLICY, DEFAULT_LIMITS);
  const load = { backups: [], isJoining: false };
  t.deepEqual(guest.steer({ ...load, heldBytes: heldBytes - 1 }, 0), []);
  t.deepEqual(guest.steer({ ...load, heldBytes }, 1), [
    { kind: 'pause-guest', cause: 'output-full' },
  ]);
  t.deepEqual(guest.steer({ ...load, heldBytes: heldBytes + 1 }, 2), []);
  t.deepEqual(guest.steer({ ...load, heldBytes: 0 }, 3), [{ kind: 'resume-guest' }]);
});

test('a log that the backup has not taken pauses the guest too', (t) => {
  const guest = new GuestControl(PRIMARY_POLICY, DEFAULT_LIMITS);
  const session = new PrimarySession(1, 0);
  guest.backupOpened(0);
  session.rebase(0n, 0n, 0);
  session.recorded(1n, unackedBytes, false, 1);
  const load = { backups: [session], heldBytes: 0, isJoining: false };
  t.deepEqual(guest.steer(load, 1), [{ kind: 'pause-guest', cause: 'log-full' }]);
  t.deepEqual(guest.steer({ ...load, backups: [] }, 2), [{ kind: 'resume-guest' }]);
});

test('without a backup the guest has its whole budget', (t) => {
  const guest = new GuestControl(PRIMARY_POLICY, DEFAULT_LIMITS);
  const session = new PrimarySession(1, 0);
  guest.backupOpened(0);
  session.rebase(0n, 0n, 0);
  session.recorded(1n, 1, false, 0);
  const load = { backups: [session], heldBytes: 0, isJoining: false };
  t.true(guest.steer(load, 1_000).some((effect) => effect.kind === 'set-throttle'));
  t.true(guest.permille < 1_000);
  t.deepEqual(guest.steer({ ...load, backups: [] }, 1_001), [
    { kind: 'set-throttle', permille: 1_000 },
  ]);
});

test('a backup that still loads the machine does not slow the guest', (t) => {
  const guest = new GuestControl(PRIMARY_POLICY, DEFAULT_LIMITS);
  const session = new PrimarySession(1, 0);
  session.begin(0n, 1n, 0);
  guest.backupOpened(0);
  session.recorded(1n, 1, false, 0);
  const load = { backups: [session], heldBytes: 0, isJoining: true };
  t.deepEqual(guest.steer(load, 3_000), []);
  t.is(session.lagMs(3_000), 3_000);
});
