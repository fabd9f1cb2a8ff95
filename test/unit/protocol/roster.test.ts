/**
 * Goal: who is served, who waits and what is committed follows from the backups alone.
 */

import test from 'ava';
import { DEFAULT_LIMITS } from '../../../lib/protocol/limits.js';
import { PRIMARY_POLICY } from '../../../lib/protocol/primary-policy.js';
import { PrimarySession } from '../../../lib/protocol/primary-session.js';
import { MAX_VERIFYING, MAX_WAITING, Roster } from '../../../lib/protocol/roster.js';

/** A session that follows from entry 0 on and has acked up to `seq`. */
function following(
  id: number,
  seq: bigint,
  purpose: 'protect' | 'verify' = 'protect',
): PrimarySession {
  const session = new PrimarySession(id, 0, purpose);
  session.begin(0n, 1n, 0);
  session.rebase(0n, 0n, 0);
  session.recorded(9n, 10, false, 0);
  session.sent(9n, 0);
  const ack = { epoch: 1n, receivedSeq: seq, durableSeq: 0n, replayedSeq: 0n, chainMatches: true };
  session.acked(ack, PRIMARY_POLICY, 'received', 1);
  return session;
}

test('what is committed is what every counted backup has, and nobody else', (t) => {
  const roster = new Roster(3);
  t.is(roster.committed(PRIMARY_POLICY, 'received'), null);
  const [fast, slow, joining] = [following(1, 8n), following(2, 5n), following(3, 2n)];
  for (const session of [fast, slow, joining, following(4, 1n, 'verify')]) roster.add(session);
  fast.count();
  slow.count();
  t.is(roster.committed(PRIMARY_POLICY, 'received'), 5n);
  roster.remove(2);
  t.is(roster.committed(PRIMARY_POLICY, 'received'), 8n);
});

test('the log is kept for the slowest that is served, verifiers too', (t) => {
  const roster = new Roster(2);
  roster.add(following(1, 8n));
  t.deepEqual(roster.trim(), [{ kind: 'trim', throughSeq: 8n }]);
  t.deepEqual(roster.trim(), []);
  roster.add(following(2, 3n, 'verify'));
  t.deepEqual(roster.trim(), [{ kind: 'trim', throughSeq: 3n }]);
  roster.remove(1);
  roster.remove(2);
  t.deepEqual(roster.trim(), [{ kind: 'trim', throughSeq: null }]);
});

test('as many backups begin as are wanted, one copy of the machine at a time', (t) => {
  const roster = new Roster(2);
  const waiting = [1, 2, 3].map((id) => new PrimarySession(id, 0));
  for (const session of waiting) roster.add(session);
  const [first, second] = waiting;
  t.is(roster.nextToBegin(), first ?? null);
  first?.begin(0n, 1n, 0);
  t.is(roster.nextToBegin(), null, 'the first one loads');
  first?.rebase(0n, 0n, 0);
  t.is(roster.nextToBegin(), second ?? null);
  second?.begin(0n, 1n, 0);
  second?.rebase(0n, 0n, 0);
  t.is(roster.nextToBegin(), null, 'two are enough');
  roster.add(new PrimarySession(4, 0, 'verify'));
  t.is(roster.nextToBegin()?.id, 4, 'a verifier takes no place');
});

test('what may wait or verify is bounded', (t) => {
  const roster = new Roster(1);
  for (let id = 0; id < MAX_WAITING; id += 1) {
    t.true(roster.hasRoomFor('protect'));
    roster.add(new PrimarySession(id, 0));
  }
  t.false(roster.hasRoomFor('protect'));
  t.true(roster.hasRoomFor('verify'));
  for (let id = 0; id < MAX_VERIFYING; id += 1) roster.add(following(100 + id, 0n, 'verify'));
  roster.add(new PrimarySession(200, 0, 'verify'));
  t.not(roster.nextToBegin()?.id, 200);
});

test('a spare whose transport is full does not keep the primary awake', (t) => {
  const roster = new Roster(0);
  const session = new PrimarySession(1, 0);
  roster.add(session);
  t.is(roster.wakeAtMs(0n, DEFAULT_LIMITS), DEFAULT_LIMITS.heartbeatMs);
  session.block(true);
  t.is(roster.wakeAtMs(0n, DEFAULT_LIMITS), Infinity);
});

test('a verifier that leaves too much unread is given up, a backup is waited for', (t) => {
  const roster = new Roster(1);
  const [backup, verifier] = [following(1, 9n), following(2, 9n, 'verify')];
  roster.add(backup);
  roster.add(verifier);
  for (const session of [backup, verifier]) {
    session.recorded(10n, DEFAULT_LIMITS.unackedBytes, false, 1);
  }
  t.deepEqual(roster.lost(PRIMARY_POLICY, DEFAULT_LIMITS, 2), [
    { id: 2, cause: 'too slow to verify' },
  ]);
});
