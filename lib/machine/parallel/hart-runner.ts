/**
 * Runs one hart on its thread from safepoint to safepoint.
 *
 * How long a hart runs between two looks is policy: short while others ask for pages, long while
 * nobody does. It has no effect on results, which depend on where harts stand, and that is written
 * down.
 */

import type { Hart, HartExit } from '../../riscv/hart.js';
import { ERRAND, FAILURE, MODE, WORD, type SharedWords } from './shared-words.js';
import type { SharedOwnership } from './shared-ownership.js';
import type { Standstill } from './standstill.js';

const SHORTEST_QUANTUM = 2_000;
const LONGEST_QUANTUM = 2_000_000;
/**
 * A page that is asked for comes up to this part of a recorded run late, if that is rare: some
 * hundred microseconds, since a run is made to last a time.
 */
const QUANTA_IN_A_RUN = 4;

export class HartRunner {
  private readonly words: SharedWords;
  private readonly hart: Hart;
  private readonly number: number;
  private readonly standstill: Standstill;
  private readonly ownership: SharedOwnership;
  private quantum = LONGEST_QUANTUM;

  constructor(parts: {
    readonly words: SharedWords;
    readonly hart: Hart;
    readonly standstill: Standstill;
    readonly ownership: SharedOwnership;
  }) {
    this.words = parts.words;
    this.hart = parts.hart;
    this.number = parts.hart.memory.hart;
    this.standstill = parts.standstill;
    this.ownership = parts.ownership;
  }

  /** The hart has something to do before its limit. */
  canRun(): boolean {
    const { words, number, hart } = this;
    if (words.load(WORD.failure) !== FAILURE.none || words.load(WORD.ending) !== 0) return false;
    return !hart.parked && (words.steps[number] ?? 0) < (words.limits[number] ?? 0);
  }

  /** Runs until the hart is to stand, or has a reason to return, or stands at its limit. */
  run(): HartExit {
    const { words, hart, number } = this;
    const limit = words.limits[number] ?? 0;
    const longest = this.longestQuantum(limit - Number(hart.step()));
    for (;;) {
      this.standstill.pass();
      const step = Number(hart.step());
      const exit = hart.run(BigInt(Math.min(limit, step + Math.min(this.quantum, longest))));
      this.standstill.pass();
      this.ownership.release();
      const reached = Number(hart.step());
      words.steps[number] = reached;
      if (this.standstill.isWanted) this.quantum = SHORTEST_QUANTUM;
      else this.quantum = Math.min(LONGEST_QUANTUM, Math.ceil(this.quantum * 1.25));
      if (exit !== 'limit' && exit !== 'restart') return exit;
      if (reached >= limit || this.standstill.isWanted) return exit;
      if (!this.canRun()) return exit;
    }
  }

  /** In a replay nobody asks for pages: what a hart is to do is known. */
  private longestQuantum(steps: number): number {
    if (this.words.load(WORD.mode) !== MODE.record) return LONGEST_QUANTUM;
    return Math.max(SHORTEST_QUANTUM, Math.ceil(steps / QUANTA_IN_A_RUN));
  }

  /** What the end of a stretch means for the run: a limit ends it for all, if it is recorded. */
  noteExit(exit: HartExit): void {
    const { words, number } = this;
    const isAtLimit = (words.steps[number] ?? 0) >= (words.limits[number] ?? 0);
    const isRecord = words.load(WORD.mode) === MODE.record;
    if (isAtLimit ? !isRecord : exit !== 'must-return') return;
    words.store(WORD.ending, 1);
    words.ring(0);
  }

  /** Before the hart goes on after it stood: what others did to it meanwhile. */
  lookAround(): void {
    const { words, hart, number } = this;
    const errands = words.takeErrands(number);
    if ((errands & ERRAND.forgetAll) !== 0) {
      words.takeLosses(number, () => undefined);
      hart.forgetPages();
    } else {
      if ((errands & ERRAND.revokeWrites) !== 0) hart.revokeWrites();
      words.takeLosses(number, (page, left) => hart.losePage(page, left));
    }
    this.refreshTimers();
  }

  /** Time, or what it is compared with, was changed from outside. */
  refreshTimers(): void {
    this.hart.timers.setMachineCompare(this.words.timeCompares[this.number] ?? 0n);
  }
}
