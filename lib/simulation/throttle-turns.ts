/**
 * Counts how often a throttle changes its direction: a loop that oscillates gives itself away.
 */

export class ThrottleTurns {
  /** World time of each turn. */
  readonly atMs: number[] = [];
  private permille = 1000;
  private direction = 0;

  set(permille: number, nowMs: number): void {
    const direction = Math.sign(permille - this.permille);
    if (this.direction !== 0 && direction !== this.direction) this.atMs.push(nowMs);
    this.direction = direction;
    this.permille = permille;
  }
}
