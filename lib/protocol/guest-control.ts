/**
 * What the primary asks of its guest: to run slower while the backup lags, and to stand still
 * while a queue is full.
 *
 * Invariant: every queue of the primary is bounded by its limit plus what one slice of execution
 * adds, because the guest is paused as soon as a queue reaches it and resumed only below it.
 */

import { THROTTLE_FULL_PERMILLE } from './limits.js';
import type { PairLimits } from './limits.js';
import type { PrimaryEffect } from './primary-contract.js';
import type { PrimaryPolicy } from './primary-policy.js';
import type { PrimarySession } from './primary-session.js';
import { Throttle } from './throttle.js';

/** A backup that joins with a long log to replay must not bring the guest to a standstill. */
const JOINING_FLOOR_PERMILLE = 500;

export interface Load {
  /** Those that follow to protect; the slowest sets the pace. */
  readonly backups: readonly PrimarySession[];
  /** Output held back. */
  readonly heldBytes: number;
  /** None of them protects yet. */
  readonly isJoining: boolean;
}

export class GuestControl {
  /** The share of its budget that the guest was last given. */
  permille = THROTTLE_FULL_PERMILLE;
  private readonly policy: PrimaryPolicy;
  private readonly limits: PairLimits;
  private readonly throttle = new Throttle();
  private isPaused = false;

  constructor(policy: PrimaryPolicy, limits: PairLimits) {
    this.policy = policy;
    this.limits = limits;
  }

  /** The lag of a first backup begins to count. */
  backupOpened(nowMs: number): void {
    this.throttle.begin(nowMs);
  }

  /** When the throttle is decided anew, if there is a backup. */
  wakeAtMs(): number {
    return this.throttle.wakeAtMs(this.limits);
  }

  /** What changes for the guest under this load. */
  steer(load: Load, nowMs: number): PrimaryEffect[] {
    return [...this.steerThrottle(load, nowMs), ...this.steerPause(load)];
  }

  private steerThrottle({ backups, isJoining }: Load, nowMs: number): PrimaryEffect[] {
    if (backups.length > 0) {
      const floorPermille = isJoining ? JOINING_FLOOR_PERMILLE : this.limits.throttleMinPermille;
      // A backup that still loads the machine is late, and no slower for that.
      const loaded = backups.filter((session) => session.isLoaded());
      const lagMs = Math.max(0, ...loaded.map((session) => session.lagMs(nowMs)));
      this.throttle.decide(this.policy, this.limits, { nowMs, lagMs, floorPermille });
    }
    const permille = backups.length === 0 ? THROTTLE_FULL_PERMILLE : this.throttle.permille;
    if (permille === this.permille) return [];
    this.permille = permille;
    return [{ kind: 'set-throttle', permille }];
  }

  private steerPause({ backups, heldBytes }: Load): PrimaryEffect[] {
    const { policy, limits } = this;
    const logBytes = Math.max(0, ...backups.map((session) => session.queuedBytes));
    const isOutputFull = policy.mustPause('output', heldBytes, limits.heldBytes);
    const isLogFull = policy.mustPause('log', logBytes, limits.unackedBytes);
    if ((isOutputFull || isLogFull) === this.isPaused) return [];
    this.isPaused = !this.isPaused;
    if (!this.isPaused) return [{ kind: 'resume-guest' }];
    return [{ kind: 'pause-guest', cause: isLogFull ? 'log-full' : 'output-full' }];
  }
}
