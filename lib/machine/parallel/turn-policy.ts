/**
 * When harts that could run in parallel had better take turns: while they take pages from each
 * other all the time. A turn costs no steals, since the others stand.
 *
 * Policy only: whoever replays sees where harts stood, not why. After some runs by turns one in
 * parallel is tried; the longer sharing goes on, the rarer.
 */

/** Steps (of all harts) for each steal, below which running in parallel does not pay. */
const STEPS_A_STEAL = 6_000;
const FEWEST_TURNS = 8;
const MOST_TURNS = 128;
/** A run that is too short to judge by. */
const TELLING_STEPS = 20_000;

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
  note(steps: number, steals: number): void {
    if (steps < TELLING_STEPS && steals * STEPS_A_STEAL < TELLING_STEPS) return;
    if (steals * STEPS_A_STEAL > steps) {
      this.turnsLeft = this.nextTurns;
      this.nextTurns = Math.min(MOST_TURNS, this.nextTurns * 2);
    } else {
      this.nextTurns = Math.max(FEWEST_TURNS, this.nextTurns / 2);
    }
  }
}
