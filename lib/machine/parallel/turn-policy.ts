/**
 * When harts that could run in parallel had better take turns: while they take pages from each
 * other all the time. A turn costs no steals, since the others stand.
 *
 * Policy only: whoever replays sees where harts stood, not why. After some runs by turns one in
 * parallel is tried; the longer sharing goes on, the rarer.
 */

/**
 * A steal costs a twentieth of a millisecond or so: all have to come to stand. Of a run that is
 * meant to last two milliseconds, so many leave nothing of what the harts gain by running together.
 */
const MOST_STEALS = 32;
/** Steps (of all harts) for each steal, below which running together never pays. */
const FEWEST_STEPS = 6_000;
const FEWEST_TURNS = 8;
/** Some ten milliseconds, beside which a try costs little. */
const MOST_TURNS = 128;
/** A run that is too short to judge by. */
const TELLING_STEPS = 20_000;

/** Steals after which a run in parallel is judged while it goes on. */
const TELLING_STEALS = 16;

/** What a run in parallel came to so far. */
export interface ParallelRun {
  /** Of all harts together. */
  readonly steps: number;
  readonly steals: number;
  /** See `stepsForSteal`. */
  readonly stepsForSteal: number;
}

/** Steps for each steal that a run of `wanted` steps has to have to be worth it. */
export function stepsForSteal(wanted: number): number {
  return Math.max(FEWEST_STEPS, wanted / MOST_STEALS);
}

/** Whether a run is to end, because its harts take pages from each other all the time. */
export function isThrashing(run: ParallelRun): boolean {
  return run.steals >= TELLING_STEALS && run.steals * run.stepsForSteal > run.steps;
}

export class TurnPolicy {
  private turnsLeft = 0;
  private nextTurns = FEWEST_TURNS;

  /** Whether the next run is one hart's alone. */
  isTurn(): boolean {
    if (this.turnsLeft === 0) return false;
    this.turnsLeft--;
    return true;
  }

  /** Takes note of a run in parallel. */
  note(run: ParallelRun): void {
    const earned = run.steals * run.stepsForSteal;
    if (Math.max(run.steps, earned) < TELLING_STEPS) return;
    if (earned > run.steps) {
      this.turnsLeft = this.nextTurns;
      this.nextTurns = Math.min(MOST_TURNS, this.nextTurns * 2);
    } else {
      this.nextTurns = Math.max(FEWEST_TURNS, this.nextTurns / 2);
    }
  }
}
