/**
 * When a backup last heard its primary, corrected for time in which its own process did not run.
 *
 * A step later than the time its core wanted to wake at means that the process was stopped or
 * starved, so that silence until now proves nothing.
 */

import { lagGrainMs, type PairLimits } from './limits.js';
import type { BackupPolicy } from './backup-policy.js';

export class StreamWatch {
  heardMs = 0;
  private steppedMs = 0;
  private readonly limits: PairLimits;
  private readonly policy: BackupPolicy;

  constructor(limits: PairLimits, policy: BackupPolicy) {
    this.limits = limits;
    this.policy = policy;
  }

  /** A step begins that was due at `dueMs`; `toldMs` is by how much its tick was late. */
  step(nowMs: number, dueMs: number, toldMs: number): void {
    this.steppedMs = nowMs;
    const lagMs = Math.max(toldMs, nowMs - dueMs);
    if (lagMs <= lagGrainMs(this.limits)) return;
    this.heardMs = Math.min(nowMs, this.policy.creditLag(this.heardMs, lagMs));
  }

  isSilent(nowMs: number): boolean {
    return this.policy.isSilent(nowMs - this.heardMs, this.limits);
  }

  /** Whether a dialed stream, or a hello, has waited too long for its answer. */
  isUnanswered(nowMs: number): boolean {
    return nowMs >= this.answerDueMs();
  }

  answerDueMs(): number {
    return this.heardMs + this.limits.dialTimeoutMs;
  }

  /** When silence is judged next; a tick each heartbeat keeps the measure of own pauses fine. */
  wakeAtMs(): number {
    const { suspectMs, heartbeatMs } = this.limits;
    return Math.min(this.heardMs + suspectMs, this.steppedMs + heartbeatMs);
  }
}
