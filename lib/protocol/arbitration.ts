/**
 * One question to the arbiter, asked until it is answered.
 *
 * Both roles ask in the same way: the first question at once, again after a refusal to answer
 * (`unavailable`) or after silence. Asking again is safe because a claim is idempotent for its
 * holder. There is no giving up: without an answer the asker stays silent, however long.
 */

import { assert } from '../base/assert.js';
import type { PairLimits } from './limits.js';

export class Arbitration {
  readonly generation: bigint;
  private askAtMs: number;
  private readonly limits: PairLimits;

  constructor(generation: bigint, nowMs: number, limits: PairLimits) {
    assert(generation > 0n, `generation ${generation}`);
    this.generation = generation;
    this.askAtMs = nowMs;
    this.limits = limits;
  }

  /** When the question is due (again). */
  wakeAtMs(): number {
    return this.askAtMs;
  }

  /** Whether the question has to be put now; the next time then lies an answer's time ahead. */
  isDue(nowMs: number): boolean {
    if (nowMs < this.askAtMs) return false;
    this.askAtMs = nowMs + this.limits.arbiterTimeoutMs;
    return true;
  }

  /** The arbiter could not answer. */
  postpone(nowMs: number): void {
    this.askAtMs = nowMs + this.limits.arbiterRetryMs;
  }
}
