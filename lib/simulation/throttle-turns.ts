/**
 * Counts how often a throttle changes its direction: a loop that oscillates gives itself away. What
 * trembles by less than a tenth follows the load.
 */

const TREMOR_SHARE = 0.1;

export class ThrottleTurns {
  /** World time of each turn. */
  readonly atMs: number[] = [];
  /** The furthest setting in the present direction: 1 up, -1 down, 0 before the first change. */
  private extreme = 1000;
  private direction = 0;

  set(permille: number, nowMs: number): void {
    const change = permille - this.extreme;
    const direction = Math.sign(change);
    if (this.direction !== 0 && direction !== this.direction) {
      if (Math.abs(change) < TREMOR_SHARE * this.extreme) return;
      this.atMs.push(nowMs);
    }
    this.direction = direction;
    this.extreme = permille;
  }
}
