/**
 * How long to wait for an acknowledgement before sending again (RFC 6298).
 *
 * Every segment goes to a machine on this host, so the bounds are narrower than the Internet's:
 * the timer never waits less than a guest's delayed acknowledgement may take, and never so long
 * that a machine which stood still through a failover is found late.
 */

export const MIN_TIMEOUT_MS = 200;
export const FIRST_TIMEOUT_MS = 1_000;
export const MAX_TIMEOUT_MS = 5_000;

export class RoundTrip {
  private smoothedMs: number | null = null;
  private variationMs = 0;
  private backoff = 0;

  /** A segment sent once was acknowledged after `ms`. */
  measure(ms: number): void {
    if (this.smoothedMs === null) {
      this.smoothedMs = ms;
      this.variationMs = ms / 2;
      return;
    }
    const error = Math.abs(this.smoothedMs - ms);
    this.variationMs += (error - this.variationMs) / 4;
    this.smoothedMs += (ms - this.smoothedMs) / 8;
  }

  /** The timer ran out: the next one runs twice as long. */
  backOff(): void {
    this.backoff += 1;
  }

  /** The peer has answered. */
  recover(): void {
    this.backoff = 0;
  }

  timeoutMs(): number {
    const base =
      this.smoothedMs === null
        ? FIRST_TIMEOUT_MS
        : Math.max(MIN_TIMEOUT_MS, this.smoothedMs + 4 * this.variationMs);
    return Math.min(MAX_TIMEOUT_MS, base * 2 ** Math.min(this.backoff, 16));
  }
}
