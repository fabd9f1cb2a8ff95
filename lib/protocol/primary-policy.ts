/**
 * The decisions of the primary's role on which safety rests, each a small pure function.
 *
 * They stand apart from the bookkeeping of `PrimaryCore` for two reasons: each rule can be read
 * alone, and the simulator can plant a wrong rule and prove that its checkers see it. Production
 * always runs `PRIMARY_POLICY`.
 */

import type { ArbiterAnswer } from './arbiter.js';
import { THROTTLE_FULL_PERMILLE } from './limits.js';
import type { PairLimits } from './limits.js';
import type { PrimaryState } from './primary-contract.js';

/** When an ack lets output go: in the backup's memory, or on its disk. */
export type AckMode = 'received' | 'durable';

/** What the primary knows of the backup that it serves. */
export interface SessionView {
  /** Last entry given to the transport. */
  readonly sentSeq: bigint;
  /** Invariant: replayedSeq, durableSeq <= receivedSeq <= sentSeq; moved by acks only. */
  readonly receivedSeq: bigint;
  readonly durableSeq: bigint;
  readonly replayedSeq: bigint;
}

export interface AckView {
  readonly epoch: bigint;
  readonly receivedSeq: bigint;
  readonly durableSeq: bigint;
  readonly replayedSeq: bigint;
  readonly chainMatches: boolean;
}

/** How long the backup has been silent, and how long without progress; 0 if it owes nothing. */
export interface BackupHealth {
  readonly silentMs: number;
  readonly stalledMs: number;
}

export interface ThrottleView {
  readonly permille: number;
  readonly lagMs: number;
  /** Share of its budget at which the guest would run exactly as fast as the backup replays. */
  readonly capacityPermille: number;
  readonly floorPermille: number;
  /** Half of the share at which the lag last became too long: below it there is surely room. */
  readonly kneePermille: number;
}

export interface PrimaryPolicy {
  /** Whether an output waits for the ack of its mark. */
  outputsWait(state: PrimaryState): boolean;
  /** Up to where the log is safe, by the acks of the session. */
  committed(session: SessionView, mode: AckMode): bigint;
  /** Up to where the log is safe with several backups, by what each of them has committed. */
  committedByAll(committed: readonly bigint[]): bigint | null;
  /** Whether an ack can be true: right epoch, nothing unsent, nothing taken back, right chain. */
  ackIsSound(ack: AckView, session: SessionView, epoch: bigint): boolean;
  /** Whether pending entries go out now. */
  flushes(pending: PendingView, limits: PairLimits): boolean;
  /** Whether the arbiter's answer lets this primary speak alone. */
  mayRunAlone(answer: ArbiterAnswer): boolean;
  /** What to do when the backup is lost after protection began. */
  onLoss(): 'arbitrate' | 'run-alone';
  /** Why the backup counts as lost, or null. */
  backupLost(health: BackupHealth, limits: PairLimits): 'silent' | 'stalled' | null;
  /** Whether the guest has to pause for want of room in a queue of at most `limitBytes`. */
  mustPause(queue: 'log' | 'output', queuedBytes: number, limitBytes: number): boolean;
  /** Whether a joining backup is so near that protection can begin. */
  mayProtect(joining: JoiningView, limits: PairLimits): boolean;
  /** The guest's share of its instruction budget for the next period. */
  nextThrottle(view: ThrottleView, limits: PairLimits): number;
}

export interface PendingView {
  readonly bytes: number;
  readonly ageMs: number;
  readonly hasOutputMark: boolean;
}

export interface JoiningView {
  /** It has replayed everything that was recorded before it came. */
  readonly isCaughtUp: boolean;
  readonly unackedBytes: number;
  readonly unreplayedBytes: number;
  /** Age of the oldest entry that it has not replayed. */
  readonly lagMs: number;
  /** Since when it has the machine. */
  readonly loadedForMs: number;
}

/** Share of the lag target below which a backup shows no more than that it keeps up. */
const KEEPING_UP_SHARE = 0.2;

/** A backup with so little lag may be able to do more than it has to. */
export function isKeepingUp(lagMs: number, limits: PairLimits): boolean {
  return lagMs <= KEEPING_UP_SHARE * limits.lagTargetMs;
}

/** A change too small to be worth an order to the guest; to full speed none is. */
function isTremor(permille: number, next: number): boolean {
  return next < THROTTLE_FULL_PERMILLE && Math.abs(next - permille) < TREMOR_SHARE * permille;
}

/** The least of `values`, null if there is none. */
export function least(values: readonly bigint[]): bigint | null {
  let found: bigint | null = null;
  for (const value of values) if (found === null || value < found) found = value;
  return found;
}

/** Share of the lag target that the throttle steers for, so that what comes suddenly fits below. */
const AIM_SHARE = 0.4;
/** In so many lag targets of time the lag is to be back where the throttle steers for. */
const SETTLE_TARGETS = 5;
/** Share of a setting by which another must differ. */
const TREMOR_SHARE = 0.03;
/** Up to the knee there is no need to feel one's way: a replica that only stalled is fast again. */
const REOPEN_FACTOR = 1.5;
/** One period never closes further than this: a single late ack must not stop the guest. */
const CLOSE_FACTOR_MIN = 0.5;
/** Part of the backup's capacity that the guest keeps while the backlog is worked off. */
const DRAIN_SHARE_MIN = 0.5;

export const PRIMARY_POLICY: PrimaryPolicy = {
  outputsWait: (state) => state !== 'solo' && state !== 'joining',

  committed: (session, mode) => (mode === 'received' ? session.receivedSeq : session.durableSeq),

  committedByAll: (committed) => least(committed),

  ackIsSound: (ack, session, epoch) =>
    ack.epoch === epoch &&
    ack.chainMatches &&
    ack.receivedSeq <= session.sentSeq &&
    ack.receivedSeq >= session.receivedSeq &&
    ack.replayedSeq <= ack.receivedSeq &&
    ack.durableSeq <= ack.receivedSeq,

  flushes: (pending, limits) =>
    pending.hasOutputMark ||
    pending.bytes >= limits.batchBytes ||
    pending.ageMs >= limits.batchDelayMs,

  mayRunAlone: (answer) => answer.outcome === 'won',

  onLoss: () => 'arbitrate',

  backupLost: (health, limits) => {
    if (health.silentMs >= limits.backupSilentMs) return 'silent';
    if (health.stalledMs >= limits.ackStallMs) return 'stalled';
    return null;
  },

  mustPause: (_queue, queuedBytes, limitBytes) => queuedBytes >= limitBytes,

  mayProtect: (joining, limits) =>
    joining.isCaughtUp &&
    joining.unackedBytes <= limits.joinLagBytes &&
    joining.unreplayedBytes <= limits.joinLagBytes &&
    (joining.lagMs <= limits.joinLagMs || joining.loadedForMs >= limits.joinSettleMs),

  nextThrottle: (view, limits) => {
    const { permille, lagMs, capacityPermille, floorPermille, kneePermille } = view;
    const { lagTargetMs } = limits;
    const overMs = lagMs - AIM_SHARE * lagTargetMs;
    const share = Math.max(DRAIN_SHARE_MIN, 1 - overMs / (SETTLE_TARGETS * lagTargetMs));
    const known = isKeepingUp(lagMs, limits) ? Math.min(kneePermille, permille * REOPEN_FACTOR) : 0;
    const wanted = Math.max(capacityPermille * share, permille * CLOSE_FACTOR_MIN, known);
    const next = Math.min(THROTTLE_FULL_PERMILLE, Math.max(floorPermille, Math.ceil(wanted)));
    return isTremor(permille, next) ? permille : next;
  },
};
