/**
 * When to stop the guest for the last round of a copy that is made while it runs.
 *
 *   round of every page --> round of what was written meanwhile --> ... --> last, guest stopped
 *
 * Each round gives a measure: how long the guest stood still for a page, and how many pages were
 * written while the round was copied. The stop is worth taking once those pages take no longer
 * than `TARGET_STOP_MS`. Where a round leaves nearly as many pages as the one before, the guest
 * writes as fast as it is copied: it is slowed, by halves; where even that does not help, or there
 * were rounds enough, the longer stop is taken, and said. A copy is never given up for it: a guest
 * without a backup is the greater risk.
 */

/** A stop that a client takes for jitter. */
export const TARGET_STOP_MS = 10;
/** Copying goes on while a round leaves at most this share of the pages of the one before. */
const CONVERGES_AT = 0.7;
const MAX_ROUNDS = 16;
export const FULL_SPEED_PERMILLE = 1000;
const LEAST_SPEED_PERMILLE = 125;

export interface RoundFigures {
  /** Pages copied in the round, and for how long the guest stood still for them in all. */
  readonly copiedPages: number;
  readonly stoodStillMs: number;
  /** Pages that were written meanwhile. */
  readonly leftPages: number;
}

export type CopyDecision =
  /** Copy the pages that are left while the guest runs at this speed. */
  | { readonly kind: 'round'; readonly permille: number }
  /** Stop the guest for what is left, as was hoped for. */
  | { readonly kind: 'finish'; readonly estimatedMs: number }
  /** The same, though it takes longer: the guest writes too fast. */
  | { readonly kind: 'accept'; readonly estimatedMs: number };

export class CopyPolicy {
  private rounds = 0;
  private permille = FULL_SPEED_PERMILLE;
  private lastLeftPages = Infinity;
  private copiedPages = 0;
  private stoodStillMs = 0;

  decide(round: RoundFigures): CopyDecision {
    this.rounds += 1;
    this.copiedPages += round.copiedPages;
    this.stoodStillMs += round.stoodStillMs;
    const estimatedMs = this.estimateMs(round.leftPages);
    const converges = round.leftPages <= this.lastLeftPages * CONVERGES_AT;
    this.lastLeftPages = round.leftPages;
    if (estimatedMs <= TARGET_STOP_MS) return { kind: 'finish', estimatedMs };
    const isSlowest = this.permille <= LEAST_SPEED_PERMILLE;
    if (this.rounds >= MAX_ROUNDS || (!converges && isSlowest)) {
      return { kind: 'accept', estimatedMs };
    }
    if (!converges) this.permille = Math.max(LEAST_SPEED_PERMILLE, this.permille / 2);
    return { kind: 'round', permille: this.permille };
  }

  /** A page is copied and its hash is taken for the last check: about twice the work. */
  private estimateMs(pages: number): number {
    if (this.copiedPages === 0) return 0;
    return (2 * pages * this.stoodStillMs) / this.copiedPages;
  }
}
