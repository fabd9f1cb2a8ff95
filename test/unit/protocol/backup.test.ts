/**
 * Goal: the rules of a backup on which safety rests.
 * Method: as in primary.test.ts.
 */

import test from 'ava';
import { AssertionError } from '../../../lib/base/assert.js';
import type { BackupEffect, BackupInput } from '../../../lib/protocol/backup-contract.js';
import { BackupCore } from '../../../lib/protocol/backup-core.js';
import { BackupDialer } from '../../../lib/protocol/backup-dialer.js';
import { BackupPosition } from '../../../lib/protocol/backup-position.js';
import { DEFAULT_LIMITS } from '../../../lib/protocol/limits.js';

type Batch = Extract<BackupInput, { kind: 'batch' }>;

const HOLDER = { address: 'a', incarnation: '1' };

function batch(change: Partial<Batch>): Batch {
  return {
    kind: 'batch',
    stream: 1,
    epoch: 1n,
    firstSeq: 1n,
    lastSeq: change.firstSeq ?? 1n,
    releasedSeq: 0n,
    counted: true,
    intact: true,
    epochs: [],
    powerOffSeq: null,
    more: false,
    ...change,
  };
}

/** A core that holds entries 1 to 3, the last of which began protection. */
function protectingBackup(): BackupCore {
  const core = new BackupCore({
    limits: DEFAULT_LIMITS,
    addresses: ['a'],
    position: 0n,
    logEpoch: 0n,
  });
  const inputs: BackupInput[] = [
    { kind: 'start' },
    { kind: 'connected', stream: 1 },
    { kind: 'hello-answered', stream: 1, epoch: 1n, mode: 'resume', seq: 0n },
    batch({
      lastSeq: 3n,
      releasedSeq: 2n,
      epochs: [
        { seq: 1n, epoch: 1n },
        { seq: 3n, epoch: 1n },
      ],
    }),
  ];
  for (const input of inputs) core.step(input, 10);
  return core;
}

function kinds(effects: readonly BackupEffect[]): string[] {
  return effects.map((effect) => effect.kind);
}

test('the inputs of this test lead to protection', (t) => {
  t.is(protectingBackup().state, 'protecting');
});

test('a backup promotes only with the generation in hand', (t) => {
  const core = protectingBackup();
  t.true(kinds(core.step({ kind: 'closed', stream: 1, reason: null }, 11)).includes('claim'));
  const unavailable = { outcome: 'unavailable' } as const;
  t.deepEqual(core.step({ kind: 'claimed', generation: 2n, answer: unavailable }, 12), []);
  t.deepEqual(core.step({ kind: 'claimed', generation: 3n, answer: { outcome: 'won' } }, 13), []);
  t.is(core.state, 'arbitrating');
  const won = core.step({ kind: 'claimed', generation: 2n, answer: { outcome: 'won' } }, 14);
  t.deepEqual(won.at(-1), { kind: 'drain', throughSeq: 3n });
  t.is(core.state, 'promoting');
});

test('a loser halts, names the winner and never asks again', (t) => {
  const core = protectingBackup();
  core.step({ kind: 'closed', stream: 1, reason: null }, 11);
  const answer = { outcome: 'lost', holder: HOLDER } as const;
  const effects = core.step({ kind: 'claimed', generation: 2n, answer }, 12);
  t.deepEqual(effects.at(-1), { kind: 'halt', cause: 'lost-arbitration', holder: HOLDER });
  t.deepEqual(core.step({ kind: 'tick', loopLagMs: 0 }, 10_000), []);
  t.is(core.wakeAtMs(), Infinity);
});

test('a replica that differs halts even when it has won', (t) => {
  const core = protectingBackup();
  core.step({ kind: 'closed', stream: 1, reason: null }, 11);
  core.step({ kind: 'claimed', generation: 2n, answer: { outcome: 'won' } }, 12);
  const effects = core.step({ kind: 'diverged', seq: 3n }, 13);
  t.deepEqual(effects.at(-1), { kind: 'halt', cause: 'diverged', holder: null });
  t.deepEqual(core.step({ kind: 'drained', seq: 3n }, 14), []);
});

const FAULTY: readonly (readonly [string, Partial<Batch>])[] = [
  ['a torn batch', { firstSeq: 4n, intact: false }],
  ['a gap', { firstSeq: 5n }],
  ['a repetition', { firstSeq: 3n }],
  ['a batch of an older epoch', { firstSeq: 4n, epoch: 0n }],
  ['an entry of a future epoch', { firstSeq: 4n, epochs: [{ seq: 4n, epoch: 2n }] }],
];

for (const [what, change] of FAULTY) {
  test(`${what} ends the stream`, (t) => {
    const core = protectingBackup();
    const effects = core.step(batch(change), 11);
    t.true(kinds(effects).includes('close-stream'));
    t.false(kinds(effects).includes('send-ack'));
    t.is(core.state, 'arbitrating');
  });
}

test('one read is acknowledged once', (t) => {
  const core = protectingBackup();
  t.deepEqual(kinds(core.step(batch({ firstSeq: 4n, more: true }), 11)), ['accept']);
  t.deepEqual(kinds(core.step(batch({ firstSeq: 5n }), 11)), ['accept', 'send-ack']);
});

test('inputs of a stream that is no more change nothing', (t) => {
  const core = protectingBackup();
  t.deepEqual(core.step({ kind: 'closed', stream: 0, reason: null }, 11), []);
  t.deepEqual(core.step({ ...batch({ firstSeq: 4n }), stream: 9 }, 11), []);
  t.is(core.state, 'protecting');
});

test('the output that may not have left is what lies beyond the released watermark', (t) => {
  const core = protectingBackup();
  core.step({ kind: 'closed', stream: 1, reason: null }, 11);
  core.step({ kind: 'claimed', generation: 2n, answer: { outcome: 'won' } }, 12);
  const effects = core.step({ kind: 'drained', seq: 3n }, 13);
  t.deepEqual(effects.at(-1), {
    kind: 'become-primary',
    takeover: { epoch: 2n, lastSeq: 3n, releasedSeq: 2n, guestStopped: false },
  });
});

test('waits between dials double up to a limit and start anew after a welcome', (t) => {
  const dialer = new BackupDialer(['a', 'b'], DEFAULT_LIMITS);
  const waits: number[] = [];
  for (let turn = 0; turn < 9; turn += 1) {
    dialer.postpone(0);
    waits.push(dialer.dueMs);
  }
  t.deepEqual(waits, [20, 40, 80, 160, 320, 640, 1000, 1000, 1000]);
  dialer.welcomed();
  dialer.postpone(0);
  t.is(dialer.dueMs, DEFAULT_LIMITS.redialMs);
});

test('addresses are dialed in turn, the one a peer names first', (t) => {
  const dialer = new BackupDialer(['a', 'b'], DEFAULT_LIMITS);
  const dial = (): string => dialer.next().address;
  t.deepEqual([dial(), dial(), dial()], ['a', 'b', 'a']);
  dialer.prefer('c');
  t.deepEqual([dial(), dial(), dial()], ['c', 'a', 'b']);
  t.throws(() => new BackupDialer([], DEFAULT_LIMITS), { instanceOf: AssertionError });
});

test('a position never moves back but by a snapshot', (t) => {
  const position = new BackupPosition(5n, 1n);
  position.received({ lastSeq: 9n, releasedSeq: 4n, powerOffSeq: null });
  position.heard({ lastSeq: 7n, releasedSeq: 3n });
  t.is(position.releasedSeq, 4n);
  t.is(position.primarySeq, 9n);
  t.false(position.durable(10n));
  t.true(position.durable(9n));
  t.false(position.durable(8n));
  t.throws(() => position.replayed(10n), { instanceOf: AssertionError });
  position.loaded(3n, 2n);
  t.is(position.receivedSeq, 3n);
  t.is(position.logEpoch, 2n);
});
