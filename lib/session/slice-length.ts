/**
 * How many steps the next slice takes: as many as lately took `SLICE_NS`, and fewer while bytes
 * come and go.
 *
 * The length is policy: it decides when the outside world is looked at, which is logged, and never
 * shows in the guest.
 */

import { MAX_SLICE_STEPS, SHORT_SLICE_STEPS, SLICE_NS, SLICE_STEPS } from './limits.js';

export class SliceLength {
  private steps = SLICE_STEPS;
  /** As many steps as lately took SLICE_NS. */
  private full = SLICE_STEPS;

  /** Steps of the next slice; the one after it may be twice as long. */
  next(): bigint {
    const { steps } = this;
    const doubled = steps * 2n;
    this.steps = doubled < this.full ? doubled : this.full;
    return steps;
  }

  /** Somebody waits for an answer. */
  shorten(): void {
    this.steps = SHORT_SLICE_STEPS;
  }

  /** Takes note of a slice; one that ended early says too little about the guest's speed. */
  note(elapsedNs: bigint, steps: bigint): void {
    if (elapsedNs <= 0n || steps < SHORT_SLICE_STEPS) return;
    const fitting = (steps * SLICE_NS) / elapsedNs;
    const most = fitting < MAX_SLICE_STEPS ? fitting : MAX_SLICE_STEPS;
    this.full = most > SHORT_SLICE_STEPS ? most : SHORT_SLICE_STEPS;
  }
}
