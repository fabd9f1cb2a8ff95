/**
 * The decisions of the backup's role on which safety rests, each a small pure function.
 *
 * As in primary-policy.ts: apart from the bookkeeping, so that each can be read alone and so that
 * the simulator can plant a wrong one. Production always runs `BACKUP_POLICY`.
 */

import type { ArbiterAnswer } from './arbiter.js';
import type { CloseReason } from './primary-contract.js';
import type { PairLimits } from './limits.js';

export interface BatchView {
  readonly epoch: bigint;
  readonly firstSeq: bigint;
  readonly intact: boolean;
}

export interface PowerView {
  /** Position of the power-off entry; null while the guest is on. */
  readonly powerOffSeq: bigint | null;
  /** Outputs marked up to here have left the primary. */
  readonly releasedSeq: bigint;
}

export interface BackupPolicy {
  /** Why a batch may not be taken, or null. A batch is taken whole or not at all. */
  batchFault(batch: BatchView, receivedSeq: bigint, epoch: bigint): string | null;
  /**
   * Whether an `epoch` entry begins protection: a repeated one of the session's epoch, sent by a
   * primary whose output waits for this backup. For another backup's sake it may be repeated too.
   */
  beginsProtection(isRepeated: boolean, isSessionEpoch: boolean, isCounted: boolean): boolean;
  /** Whether what a primary promised in one epoch ends when it goes on in the next. */
  promiseEndsWithEpoch(): boolean;
  /** Whether the loss of the primary leads to the arbiter. */
  mayArbitrate(isProtecting: boolean): boolean;
  /** Whether the arbiter has to be asked at all. */
  asksArbiter(): boolean;
  /** What the arbiter's answer means. */
  verdict(answer: ArbiterAnswer): 'promote' | 'halt' | 'retry';
  /** Whether the machine has ended in order, so that nobody is needed to go on. */
  endedInOrder(reason: CloseReason | null, power: PowerView): boolean;
  /** When the primary was last heard, corrected for time in which this process did not run. */
  creditLag(heardMs: number, loopLagMs: number): number;
  /** Whether silence this long means that the primary is lost. */
  isSilent(silentMs: number, limits: PairLimits): boolean;
  /** Whether a stream that just broke means that the primary is lost. */
  suspectsClosedStream(): boolean;
  /** Up to where a new primary replays before it speaks. */
  drainTarget(receivedSeq: bigint, replayedSeq: bigint): bigint;
  /** Epoch of a new primary that won `generation`. */
  takeoverEpoch(generation: bigint): bigint;
  /** From where a new primary sends outputs again. */
  resendAfter(releasedSeq: bigint, receivedSeq: bigint): bigint;
  /** Whether a replica that differs from the record stops. */
  haltsOnDivergence(): boolean;
}

export const BACKUP_POLICY: BackupPolicy = {
  batchFault: (batch, receivedSeq, epoch) => {
    if (!batch.intact) return `torn batch at ${batch.firstSeq}`;
    if (batch.epoch !== epoch) return `batch of epoch ${batch.epoch} in epoch ${epoch}`;
    if (batch.firstSeq !== receivedSeq + 1n) return `batch ${batch.firstSeq} after ${receivedSeq}`;
    return null;
  },

  beginsProtection: (isRepeated, isSessionEpoch, isCounted) =>
    isRepeated && isSessionEpoch && isCounted,

  promiseEndsWithEpoch: () => true,

  mayArbitrate: (isProtecting) => isProtecting,

  asksArbiter: () => true,

  verdict: (answer) => {
    if (answer.outcome === 'won') return 'promote';
    return answer.outcome === 'lost' ? 'halt' : 'retry';
  },

  endedInOrder: (reason, power) =>
    reason === 'stopped' || (power.powerOffSeq !== null && power.releasedSeq >= power.powerOffSeq),

  creditLag: (heardMs, loopLagMs) => heardMs + loopLagMs,

  isSilent: (silentMs, limits) => silentMs >= limits.suspectMs,

  suspectsClosedStream: () => true,

  drainTarget: (receivedSeq) => receivedSeq,

  takeoverEpoch: (generation) => generation,

  resendAfter: (releasedSeq, receivedSeq) =>
    releasedSeq < receivedSeq ? releasedSeq : receivedSeq,

  haltsOnDivergence: () => true,
};
