/**
 * Goal: the rules of a primary on which safety rests.
 * Method: drive a core into a state with its ordinary inputs, then say what must not impress it.
 * Whole scenarios stand in test/transcript, combinations in the simulator.
 */

import test from 'ava';
import { AssertionError } from '../../../lib/base/assert.js';
import { DEFAULT_LIMITS } from '../../../lib/protocol/limits.js';
import type { PrimaryEffect, PrimaryInput } from '../../../lib/protocol/primary-contract.js';
import { PrimaryCore } from '../../../lib/protocol/primary-core.js';
import { PRIMARY_POLICY } from '../../../lib/protocol/primary-policy.js';
import { protectionIn } from '../../../lib/protocol/primary-states.js';

const ACK = { kind: 'ack', session: 1, epoch: 1n, durableSeq: 0n, chainMatches: true } as const;

/** A core that is protected with entries 1 to 2 acked, and the time. */
function protectedPrimary(ackMode: 'received' | 'durable' = 'received'): PrimaryCore {
  const core = new PrimaryCore({ limits: DEFAULT_LIMITS, ackMode, takeover: null });
  const inputs: PrimaryInput[] = [
    { kind: 'start' },
    { kind: 'claimed', generation: 1n, answer: { outcome: 'won' } },
    recorded(1n, false),
    { kind: 'epoch-logged', seq: 1n, epoch: 1n },
    {
      kind: 'backup-opened',
      session: 1,
      position: 1n,
      epoch: 0n,
      compatible: true,
      resumable: true,
    },
    { ...ACK, receivedSeq: 1n, durableSeq: 1n, replayedSeq: 1n },
    recorded(2n, true),
    { kind: 'epoch-logged', seq: 2n, epoch: 1n },
    { ...ACK, receivedSeq: 2n, durableSeq: 2n, replayedSeq: 2n },
  ];
  for (const input of inputs) core.step(input, 10);
  return core;
}

function recorded(seq: bigint, hasOutputMark: boolean): PrimaryInput {
  return { kind: 'recorded', firstSeq: seq, lastSeq: seq, bytes: 40, hasOutputMark };
}

function kinds(effects: readonly PrimaryEffect[]): string[] {
  return effects.map((effect) => effect.kind);
}

test('the inputs of this test lead to protection', (t) => {
  t.is(protectedPrimary().state, 'protected');
  t.is(protectedPrimary('durable').state, 'protected');
});

test('a machine that is restored goes on with the numbers of its log', (t) => {
  const core = new PrimaryCore({
    limits: DEFAULT_LIMITS,
    ackMode: 'received',
    takeover: null,
    position: 70n,
  });
  core.step({ kind: 'start' }, 10);
  core.step({ kind: 'claimed', generation: 1n, answer: { outcome: 'won' } }, 10);
  core.step(recorded(71n, false), 10);
  const { lastSeq, committedSeq } = core.figures(10);
  t.is(lastSeq, 71n);
  t.is(committedSeq, 71n);
});

test('output waits for the ack of its mark, and for no other', (t) => {
  const core = protectedPrimary();
  t.deepEqual(kinds(core.step(recorded(3n, true), 11)), ['send-batch']);
  t.deepEqual(kinds(core.step({ kind: 'output', seq: 3n, bytes: 5 }, 11)), []);
  const ack = { ...ACK, receivedSeq: 2n, replayedSeq: 2n };
  t.deepEqual(kinds(core.step(ack, 12)), []);
  t.is(core.figures(12).heldBytes, 5);
  const effects = core.step({ ...ack, receivedSeq: 3n }, 13);
  t.deepEqual(
    effects.find((effect) => effect.kind === 'release'),
    { kind: 'release', throughSeq: 3n, epoch: 1n },
  );
  t.is(core.figures(13).heldBytes, 0);
});

test('where power may fail on both sides, output waits for the disk', (t) => {
  const core = protectedPrimary('durable');
  core.step(recorded(3n, true), 11);
  const received = { ...ACK, receivedSeq: 3n, durableSeq: 2n, replayedSeq: 2n };
  t.false(kinds(core.step(received, 12)).includes('release'));
  t.true(kinds(core.step({ ...received, durableSeq: 3n }, 13)).includes('release'));
});

const UNSOUND: readonly (readonly [string, Partial<Extract<PrimaryInput, { kind: 'ack' }>>])[] = [
  ['of another epoch', { epoch: 2n }],
  ['of an entry that was not sent', { receivedSeq: 4n }],
  ['that takes another back', { receivedSeq: 1n, replayedSeq: 1n }],
  ['of another history', { chainMatches: false }],
  ['of replay ahead of receipt', { replayedSeq: 4n }],
  ['of a disk ahead of receipt', { durableSeq: 4n }],
];

for (const [what, change] of UNSOUND) {
  test(`an ack ${what} releases nothing and costs the backup its stream`, (t) => {
    const core = protectedPrimary();
    core.step(recorded(3n, true), 11);
    const effects = core.step({ ...ACK, receivedSeq: 3n, replayedSeq: 2n, ...change }, 12);
    t.deepEqual(kinds(effects), ['close-stream', 'transition', 'trim', 'claim']);
    t.is(core.state, 'arbitrating');
  });
}

test('inputs of a session that is no more change nothing', (t) => {
  const core = protectedPrimary();
  const late: PrimaryInput[] = [
    { ...ACK, session: 7, receivedSeq: 9n, replayedSeq: 9n },
    { kind: 'backup-closed', session: 7 },
    { kind: 'snapshot-taken', session: 7, seq: 1n },
    { kind: 'snapshot-failed', session: 7 },
    { kind: 'blocked', session: 7 },
    { kind: 'claimed', generation: 2n, answer: { outcome: 'lost', holder: HOLDER } },
  ];
  for (const input of late) t.deepEqual(core.step(input, 11), []);
  t.is(core.state, 'protected');
});

const HOLDER = { address: 'b', incarnation: '1' };

test('a second backup stands by, one of another machine is refused', (t) => {
  const core = protectedPrimary();
  const hello = {
    kind: 'backup-opened',
    session: 2,
    position: 0n,
    epoch: 1n,
    compatible: true,
    resumable: true,
  } as const;
  t.deepEqual(core.step(hello, 11), [{ kind: 'stand-by', session: 2, epoch: 1n }]);
  t.deepEqual(core.step({ ...hello, session: 3, compatible: false }, 11), [
    { kind: 'close-stream', session: 3, reason: 'incompatible' },
  ]);
});

test('a peer that knows a newer epoch ends this primary', (t) => {
  const core = protectedPrimary();
  const effects = core.step(
    {
      kind: 'backup-opened',
      session: 2,
      position: 0n,
      epoch: 5n,
      compatible: true,
      resumable: true,
    },
    11,
  );
  t.is(effects.at(-1)?.kind, 'fence');
  t.is(core.state, 'fenced');
  t.deepEqual(core.step(recorded(3n, true), 12), []);
  t.is(core.wakeAtMs(), Infinity);
});

test('a blocked transport is given nothing until it is writable', (t) => {
  const core = protectedPrimary();
  core.step({ kind: 'blocked', session: 1 }, 11);
  t.deepEqual(core.step(recorded(3n, true), 12), []);
  t.deepEqual(core.step({ kind: 'tick', loopLagMs: 0 }, 100), []);
  const effects = core.step({ kind: 'writable', session: 1 }, 101);
  t.deepEqual(kinds(effects), ['send-batch']);
});

test('a gap in what was recorded is a broken invariant', (t) => {
  const core = protectedPrimary();
  t.throws(() => core.step(recorded(4n, false), 11), { instanceOf: AssertionError });
});

test('only the states without a backup to lose let output leave at once', (t) => {
  const states = [
    'starting',
    'solo',
    'joining',
    'protecting',
    'protected',
    'arbitrating',
    'fenced',
    'stopped',
  ] as const;
  t.deepEqual(
    states.filter((state) => !PRIMARY_POLICY.outputsWait(state)),
    ['solo', 'joining'],
  );
  t.deepEqual(
    states.filter((state) => protectionIn(state) === 'protected'),
    ['protected'],
  );
});

test('a joining backup is counted when its lag is short, or has had its time', (t) => {
  const near = { isCaughtUp: true, unackedBytes: 0, unreplayedBytes: 0 };
  const { joinLagMs, joinSettleMs } = DEFAULT_LIMITS;
  const cases = [
    [{ lagMs: joinLagMs, loadedForMs: 0 }, true],
    [{ lagMs: joinLagMs + 1, loadedForMs: joinSettleMs - 1 }, false],
    [{ lagMs: joinLagMs + 1, loadedForMs: joinSettleMs }, true],
  ] as const;
  for (const [view, expected] of cases) {
    t.is(PRIMARY_POLICY.mayProtect({ ...near, ...view }, DEFAULT_LIMITS), expected);
  }
  const far = { ...near, isCaughtUp: false, lagMs: 0, loadedForMs: joinSettleMs };
  t.false(PRIMARY_POLICY.mayProtect(far, DEFAULT_LIMITS));
});
