/**
 * The time that a throttled guest still has to stand still for the time it ran.
 *
 * What a slice took by the clock may be this host's other work. So the debt has a limit: a slice
 * that was interrupted must not cost the guest a second.
 */

/** A guest that is throttled as far as it goes stands still for about as long at a time. */
export const DEBT_MAX_MS = 100;

const FULL_PERMILLE = 1000;

export class ThrottleDebt {
  private owedMs = 0;

  /** The guest ran for `ranMs`, and may run for `permille` of the time. Gives what it owes. */
  ran(ranMs: number, permille: number): number {
    if (permille >= FULL_PERMILLE) {
      this.owedMs = 0;
      return 0;
    }
    const owedMs = this.owedMs + (ranMs * (FULL_PERMILLE - permille)) / permille;
    this.owedMs = Math.min(owedMs, DEBT_MAX_MS);
    return this.owedMs;
  }

  stood(ms: number): void {
    this.owedMs = Math.max(0, this.owedMs - ms);
  }
}
