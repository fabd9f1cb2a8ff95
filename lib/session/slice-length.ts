/**
 * How many steps the next slice takes: as many as lately took `SLICE_NS`, and fewer while bytes
 * come and go.
 *
 * The length is policy: it decides when the outside world is looked at, which is logged, and never
 * shows in the guest.
 */

import {
  MAX_SLICE_STEPS,
  PARALLEL_MAX_SLICE_STEPS,
  PARALLEL_SLICE_NS,
  SHORT_SLICE_STEPS,
  SLICE_NS,
  SLICE_STEPS,
} from './limits.js';

export class SliceLength {
  private steps = SLICE_STEPS;
  /** As many steps as lately took SLICE_NS. */
  private full = SLICE_STEPS;
  private readonly sliceNs: bigint;
  private readonly mostSteps: bigint;
  private readonly telling: bigint;

  /** `isParallel`: a slice ends with all harts standing, which costs more than looking around. */
  constructor(isParallel: boolean) {
    this.sliceNs = isParallel ? PARALLEL_SLICE_NS : SLICE_NS;
    this.mostSteps = isParallel ? PARALLEL_MAX_SLICE_STEPS : MAX_SLICE_STEPS;
    // Parallel harts share a slice, and those that wait for an interrupt leave theirs.
    this.telling = isParallel ? SHORT_SLICE_STEPS / 16n : SHORT_SLICE_STEPS;
  }

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
    if (elapsedNs <= 0n || steps < this.telling) return;
    const fitting = (steps * this.sliceNs) / elapsedNs;
    const most = fitting < this.mostSteps ? fitting : this.mostSteps;
    this.full = most > SHORT_SLICE_STEPS ? most : SHORT_SLICE_STEPS;
  }
}
