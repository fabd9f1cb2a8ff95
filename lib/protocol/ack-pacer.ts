/**
 * When a backup acknowledges: at once what it was sent, at most once for each read, and progress
 * of replay alone only from time to time.
 */

import type { PairLimits } from './limits.js';

export class AckPacer {
  private isDue = false;
  private ackedMs = 0;
  private ackedReplaySeq = 0n;

  /** Something arrived that the primary waits for an answer to. */
  demand(): void {
    this.isDue = true;
  }

  /** Another stream or another machine: nothing was acknowledged on it. */
  restart(): void {
    this.isDue = true;
    this.ackedReplaySeq = 0n;
  }

  /** Nobody listens. */
  cancel(): void {
    this.isDue = false;
  }

  /** When progress of replay up to `replayedSeq` is due to be told; Infinity if it was. */
  wakeAtMs(replayedSeq: bigint, limits: PairLimits): number {
    return replayedSeq > this.ackedReplaySeq ? this.ackedMs + limits.ackProgressMs : Infinity;
  }

  /** Whether to acknowledge now; true counts as done. */
  takes(replayedSeq: bigint, nowMs: number, limits: PairLimits): boolean {
    if (!this.isDue && nowMs < this.wakeAtMs(replayedSeq, limits)) return false;
    this.isDue = false;
    this.ackedMs = nowMs;
    this.ackedReplaySeq = replayedSeq;
    return true;
  }
}
