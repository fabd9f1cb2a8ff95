/**
 * The lag control's memory: what the throttle was when the entries now being replayed were
 * recorded, and from that how fast the backup really is.
 *
 * Lag alone is a bad guide: entries recorded before the throttle closed still take their full
 * time, so a loop on lag closes far too much and opens far too late. But the speed at which the
 * replayed position moves through recorded time, times the share the guest had there, is the
 * share that the backup can bear, at any lag. What one period shows is mostly noise of the hosts,
 * so it counts for a part; and a backup that keeps up shows only that it can bear what there is.
 */

import { THROTTLE_FULL_PERMILLE } from './limits.js';
import type { PairLimits } from './limits.js';
import { isKeepingUp, type PrimaryPolicy } from './primary-policy.js';

/** Weight of one period in what is known of the backup's capacity, and of one with too much lag. */
const PERIOD_WEIGHT = 0.2;
const URGENT_WEIGHT = 0.35;

interface Setting {
  readonly sinceMs: number;
  readonly permille: number;
}

export class Throttle {
  permille = THROTTLE_FULL_PERMILLE;
  /** Settings since the oldest entry not yet replayed, in order of time; never empty. */
  private settings: Setting[] = [{ sinceMs: -Infinity, permille: THROTTLE_FULL_PERMILLE }];
  /** Half of the share at which the present or last closing began. */
  private kneePermille = THROTTLE_FULL_PERMILLE;
  private isClosing = false;
  /** The share that the backup can bear. */
  private capacityPermille = THROTTLE_FULL_PERMILLE;
  private decidedMs = 0;
  private previousLagMs = 0;

  /** A backup opened a stream: measuring begins. */
  begin(nowMs: number): void {
    this.permille = THROTTLE_FULL_PERMILLE;
    this.settings = [{ sinceMs: -Infinity, permille: this.permille }];
    this.kneePermille = THROTTLE_FULL_PERMILLE;
    this.isClosing = false;
    this.capacityPermille = THROTTLE_FULL_PERMILLE;
    this.decidedMs = nowMs;
    this.previousLagMs = 0;
  }

  wakeAtMs(limits: PairLimits): number {
    return this.decidedMs + limits.throttlePeriodMs;
  }

  /** Decides anew if a period has passed. */
  decide(
    policy: PrimaryPolicy,
    limits: PairLimits,
    now: { readonly nowMs: number; readonly lagMs: number; readonly floorPermille: number },
  ): void {
    const { nowMs, lagMs, floorPermille } = now;
    const periodMs = nowMs - this.decidedMs;
    if (periodMs < limits.throttlePeriodMs) return;
    // Recorded time that replay went through in each millisecond.
    const speed = Math.max(0, 1 - (lagMs - this.previousLagMs) / periodMs);
    const shownPermille = this.permilleAt(nowMs - lagMs) * speed;
    const weight = lagMs > limits.lagTargetMs ? URGENT_WEIGHT : PERIOD_WEIGHT;
    this.capacityPermille += weight * (shownPermille - this.capacityPermille);
    if (isKeepingUp(lagMs, limits)) {
      this.capacityPermille = Math.max(this.capacityPermille, this.permille);
    }
    this.decidedMs = nowMs;
    this.previousLagMs = lagMs;
    const { kneePermille, capacityPermille } = this;
    const view = { permille: this.permille, lagMs, capacityPermille, floorPermille, kneePermille };
    this.set(policy.nextThrottle(view, limits), nowMs);
  }

  private set(permille: number, nowMs: number): void {
    if (permille === this.permille) return;
    const isClosing = permille < this.permille;
    if (isClosing && !this.isClosing) this.kneePermille = Math.floor(this.permille / 2);
    this.isClosing = isClosing;
    this.permille = permille;
    this.settings.push({ sinceMs: nowMs, permille });
  }

  /** The setting when an entry was recorded; forgets older ones. */
  private permilleAt(recordedMs: number): number {
    for (;;) {
      const next = this.settings[1];
      if (next === undefined || next.sinceMs > recordedMs) break;
      this.settings.shift();
    }
    return this.settings[0]?.permille ?? this.permille;
  }
}
