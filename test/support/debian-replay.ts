/**
 * Replays of the recorded Debian: the conditions under which every check must be equal, and
 * replays from a copy of the machine made on the way.
 *
 * V8's random_gc_interval and gc_interval do nothing in a release build of Node, as its trace of
 * collections shows. What does: gc_global makes every collection a full one; stress_compaction
 * collects at every new page of the heap and moves all objects.
 */

import { spawn } from 'node:child_process';
import type { LockstepError } from '../../lib/base/error.js';
import type { EventKind, LogEntry, LogEvent } from '../../lib/event/event.js';
import { HartHost } from '../../lib/host/hart-host.js';
import { createRiscvMachine } from '../../lib/machine/riscv-machine.js';
import { ReplaySession } from '../../lib/session/replay-session.js';
import { freshState } from '../../lib/session/session-state.js';
import { encodeSnapshot } from '../../lib/session/snapshot.js';
import type { WholeLog } from './edited-log.js';
import { lockstep } from './lockstep-process.js';
import { imagesOf } from './replay-faults.js';

export interface ReplayCondition {
  readonly name: string;
  readonly nodeFlags: readonly string[];
  readonly words: readonly string[];
  /** Processes beside it that take all the time they get. */
  readonly neighbours: number;
  /** Where the short form stops, in steps; null replays everything. */
  readonly shortSteps: bigint | null;
  readonly longSteps: bigint | null;
}

const PLAIN = { nodeFlags: [], words: [], neighbours: 0, shortSteps: null, longSteps: null };

export const REPLAY_CONDITIONS: readonly ReplayCondition[] = [
  { ...PLAIN, name: 'as it is' },
  {
    ...PLAIN,
    name: "V8's baseline compiler only",
    nodeFlags: ['--liftoff-only'],
    shortSteps: 600_000_000n,
  },
  {
    ...PLAIN,
    name: "V8's optimising compiler only",
    nodeFlags: ['--no-liftoff'],
    shortSteps: 600_000_000n,
  },
  {
    ...PLAIN,
    name: 'full garbage collections',
    nodeFlags: ['--gc-global'],
    shortSteps: 100_000_000n,
  },
  {
    ...PLAIN,
    name: 'compacting garbage collections without pause',
    nodeFlags: ['--stress-compaction'],
    shortSteps: 3_000_000n,
    longSteps: 30_000_000n,
  },
  { ...PLAIN, name: 'busy neighbours', neighbours: 3, shortSteps: 300_000_000n },
  {
    ...PLAIN,
    name: 'interpreter',
    words: ['--engine', 'interpreter'],
    shortSteps: 200_000_000n,
  },
  { ...PLAIN, name: 'compiling early', words: ['--hot-after', '50'], shortSteps: 50_000_000n },
];

export interface ConditionResult {
  readonly status: number | null;
  readonly checks: number;
  /** `state-hash STEP HASH` of the end. */
  readonly stateLine: string;
  readonly errors: string;
  readonly seconds: number;
}

/** Replays by the real command, up to `toStep` or to the end. */
export async function replayUnder(
  { nodeFlags, words, neighbours }: ReplayCondition,
  directory: string,
  toStep: bigint | null,
): Promise<ConditionResult> {
  const spin = (): ReturnType<typeof spawn> =>
    spawn(process.execPath, ['--eval', 'for (;;);'], { stdio: 'ignore' });
  const busy = Array.from({ length: neighbours }, spin);
  const begun = performance.now();
  try {
    const cut = toStep === null ? [] : ['--to-step', `${toStep}`];
    const all = ['replay', '--log', directory, '--state-hash', ...words, ...cut];
    const { status, stdout, stderr } = await lockstep(all, '', { nodeFlags });
    const checks = Number(/(\d+) state checks equal/.exec(stderr)?.[1] ?? 0);
    const seconds = (performance.now() - begun) / 1000;
    return { status, checks, stateLine: stdout.trim(), errors: stderr, seconds };
  } finally {
    for (const neighbour of busy) neighbour.kill('SIGKILL');
  }
}

/** A machine on its way through a log, as bytes that a host can start from. */
export interface MachineCopy {
  /** The last entry applied. */
  readonly seq: bigint;
  readonly bytes: Uint8Array;
}

/** The machine at the last check with pages before what comes late in a boot. */
export function copyBeforeInput({ meta, entries }: WholeLog): MachineCopy {
  const lateKinds: readonly string[] = ['console-input', 'entropy', 'wake'];
  const end = entries.findIndex(({ event }) => lateKinds.includes(event.kind));
  const last = entries.findLastIndex(
    ({ event }, index) => index < end && event.kind === 'state-hash' && event.pages !== null,
  );
  const before = entries.slice(0, last + 1);
  const machine = createRiscvMachine(meta.config, imagesOf(meta));
  const session = new ReplaySession({ machine, state: freshState(machine, 1n) });
  session.feed(before);
  while (session.advance(100_000_000n) === 'behind');
  return { seq: BigInt(before.length), bytes: encodeSnapshot(machine, session.promote()) };
}

/** Replays what follows a copy; the difference it ends with, null if there is none. */
export async function replayFrom(
  copy: MachineCopy,
  { meta, entries }: WholeLog,
): Promise<LockstepError | null> {
  let settle: (error: LockstepError | null) => void = () => undefined;
  let fail: (error: Error) => void = () => undefined;
  const ended = new Promise<LockstepError | null>((resolve, reject) => {
    settle = resolve;
    fail = reject;
  });
  const lastSeq = entries.at(-1)?.seq;
  const host = await HartHost.start({
    config: meta.config,
    images: imagesOf(meta),
    start: { kind: 'snapshot', snapshot: copy.bytes },
    role: { kind: 'replay', firstSeq: copy.seq + 1n },
    listener: {
      onProgress: ({ seq }) => (seq === lastSeq ? settle(null) : undefined),
      onStopped: () => settle(null),
      onDiverged: (error) => settle(error),
      onFatal: (error) => fail(error),
    },
  });
  try {
    host.feed(entries);
    return await ended;
  } finally {
    await host.stop();
  }
}

/** Entries up to and with the `count`th check after `seq`: what can find a change there. */
export function upToCheckAfter(
  entries: readonly LogEntry[],
  seq: bigint,
  count: number,
): readonly LogEntry[] {
  let left = count;
  const end = entries.findIndex(
    (entry) => entry.seq > seq && entry.event.kind === 'state-hash' && --left === 0,
  );
  return end < 0 ? entries : entries.slice(0, end + 1);
}

/** Whether the steps never go back, without which no log can be written. */
export function isInOrder(events: readonly LogEvent[]): boolean {
  const steps = events.map(stepOf);
  return steps.every((step, index) => step >= (steps[index - 1] ?? 0n));
}

/** Where the first event of a kind is that can be moved by a step either way; else the first. */
export function movableOf(entries: readonly LogEntry[], kind: EventKind): number {
  const steps = entries.map(({ event }) => stepOf(event));
  const isFree = ({ event }: LogEntry, index: number): boolean => {
    const step = steps[index] ?? 0n;
    const before = steps[index - 1];
    const after = steps[index + 1];
    return (
      event.kind === kind &&
      (before === undefined || before < step) &&
      (after === undefined || step < after)
    );
  };
  const free = entries.findIndex(isFree);
  return free >= 0 ? free : entries.findIndex(({ event }) => event.kind === kind);
}

/** The step at which an event of hart 0 stands; an epoch stands at none and counts as the start. */
export function stepOf(event: LogEvent): bigint {
  if (event.kind === 'epoch') return 0n;
  return event.kind === 'horizon' ? (event.steps[0] ?? 0n) : event.step;
}
