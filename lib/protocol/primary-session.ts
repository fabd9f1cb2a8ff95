/**
 * What the primary knows of one stream of a backup: watermarks, queues and when it was heard.
 *
 *   waiting -> joining -> counted    a backup; counted -> joining with each new epoch
 *   waiting -> verifying             a replica that only compares
 *
 * Invariant: replayedSeq, durableSeq <= receivedSeq <= sentSeq <= last recorded entry. The core
 * moves `sentSeq`, acks move the others, nothing moves any of them back.
 */

import { assert } from '../base/assert.js';
import { Backlog } from './backlog.js';
import type { PairLimits } from './limits.js';
import type { Purpose, Stage } from './primary-contract.js';
import type {
  AckMode,
  AckView,
  BackupHealth,
  JoiningView,
  PendingView,
  PrimaryPolicy,
} from './primary-policy.js';

export class PrimarySession {
  readonly id: number;
  readonly purpose: Purpose;
  stage: Stage = 'waiting';
  /** Entry that began this backup's protection; null before it is logged. */
  protectionSeq: bigint | null = null;
  /** Epoch in which it was taken. */
  openedIn = 0n;
  /** Entries after this one are still wanted, before any ack says so. */
  private wantedAfter = 0n;
  openedMs: number;
  /** Entry that the backup's state starts after; null while the snapshot is being taken. */
  baseSeq: bigint | null = null;
  /** The log's end when sending began; queues count only what came later. */
  private backlogSeq = 0n;
  sentSeq = 0n;
  receivedSeq = 0n;
  durableSeq = 0n;
  replayedSeq = 0n;
  /** Entries without the ack that output waits for. */
  readonly unacked = new Backlog();
  /** Entries that the backup's machine has not applied. */
  readonly unreplayed = new Backlog();
  /** Bytes and age of what was not yet given to the transport. */
  private pendingBytes = 0;
  private pendingSinceMs = 0;
  private pendingHasOutputMark = false;
  /** The transport asked to wait. */
  isBlocked = false;
  /** When the backup said first that it has the machine; Infinity before. */
  private loadedMs = Infinity;
  heardMs: number;
  sentMs: number;
  private ackAdvancedMs: number;
  private replayAdvancedMs: number;

  constructor(id: number, nowMs: number, purpose: Purpose = 'protect') {
    this.id = id;
    this.purpose = purpose;
    this.openedMs = nowMs;
    this.heardMs = nowMs;
    this.sentMs = nowMs;
    this.ackAdvancedMs = nowMs;
    this.replayAdvancedMs = nowMs;
  }

  /** The wait is over: what is recorded after `seq` is for this backup too. */
  begin(seq: bigint, epoch: bigint, nowMs: number): void {
    assert(this.stage === 'waiting', `session ${this.id} begins twice`);
    this.stage = this.purpose === 'verify' ? 'verifying' : 'joining';
    this.wantedAfter = seq;
    this.openedIn = epoch;
    this.openedMs = nowMs;
    this.heardMs = nowMs;
    this.ackAdvancedMs = nowMs;
    this.replayAdvancedMs = nowMs;
  }

  /** From here on the backup may hold the protection entry that is about to be logged. */
  count(): void {
    assert(this.stage === 'joining', `session ${this.id} counts from ${this.stage}`);
    this.stage = 'counted';
    this.protectionSeq = null;
  }

  /** A new epoch begins: what was promised in the old one ends. */
  uncount(): void {
    if (this.stage === 'counted') this.stage = 'joining';
    this.protectionSeq = null;
  }

  /** Entries up to here need not be kept for this backup. */
  get doneSeq(): bigint {
    return this.receivedSeq > this.wantedAfter ? this.receivedSeq : this.wantedAfter;
  }

  /** The transport asks to wait, or goes on. */
  block(isBlocked: boolean): void {
    this.isBlocked = isBlocked;
  }

  /** The machine was copied as it is after `seq`. */
  copied(seq: bigint, lastSeq: bigint, nowMs: number): void {
    assert(this.baseSeq === null, `the machine was copied twice for session ${this.id}`);
    this.rebase(seq, lastSeq, nowMs);
  }

  /** The backup's state after `seq` is known to the stream; `lastSeq` is the log's end. */
  rebase(seq: bigint, lastSeq: bigint, nowMs: number): void {
    assert(seq <= lastSeq, `session starts after ${seq}, the log ends at ${lastSeq}`);
    this.baseSeq = seq;
    this.sentSeq = seq;
    this.backlogSeq = lastSeq;
    if (lastSeq > seq) {
      this.pendingSinceMs = nowMs;
      // Marks may be among them; sending early does no harm.
      this.pendingHasOutputMark = true;
    }
    this.unacked.passTo(seq);
    this.unreplayed.passTo(seq);
  }

  recorded(lastSeq: bigint, bytes: number, hasOutputMark: boolean, nowMs: number): void {
    this.unacked.push(lastSeq, bytes, nowMs);
    this.unreplayed.push(lastSeq, bytes, nowMs);
    if (this.baseSeq === null) return;
    if (this.pendingBytes === 0 && !this.pendingHasOutputMark) this.pendingSinceMs = nowMs;
    this.pendingBytes += bytes;
    if (hasOutputMark) this.pendingHasOutputMark = true;
  }

  sent(lastSeq: bigint, nowMs: number): void {
    assert(lastSeq >= this.sentSeq, `sent ${lastSeq} after ${this.sentSeq}`);
    this.sentSeq = lastSeq;
    this.sentMs = nowMs;
    this.pendingBytes = 0;
    this.pendingHasOutputMark = false;
  }

  /** Takes over a sound ack. */
  acked(ack: AckView, policy: PrimaryPolicy, mode: AckMode, nowMs: number): void {
    const before = policy.committed(this, mode);
    if (ack.replayedSeq > this.replayedSeq) this.replayAdvancedMs = nowMs;
    this.receivedSeq = ack.receivedSeq;
    this.durableSeq = ack.durableSeq;
    this.replayedSeq = ack.replayedSeq;
    if (this.loadedMs === Infinity && this.isLoaded()) this.loadedMs = nowMs;
    const after = policy.committed(this, mode);
    if (after > before) this.ackAdvancedMs = nowMs;
    this.unacked.passTo(after);
    this.unreplayed.passTo(this.replayedSeq);
  }

  /** Whether the state the backup started from is loaded and acked. */
  isLoaded(): boolean {
    return this.baseSeq !== null && this.receivedSeq >= this.baseSeq;
  }

  /** Whether everything recorded before this stream is replayed. */
  isCaughtUp(): boolean {
    return this.isLoaded() && this.replayedSeq >= this.backlogSeq;
  }

  /** What decides whether this backup may be counted. */
  joining(nowMs: number): JoiningView {
    return {
      isCaughtUp: this.isCaughtUp(),
      unackedBytes: this.unacked.bytes,
      unreplayedBytes: this.unreplayed.bytes,
      lagMs: this.lagMs(nowMs),
      loadedForMs: Math.max(0, nowMs - this.loadedMs),
    };
  }

  health(nowMs: number, limits: PairLimits): BackupHealth {
    const silentMs = nowMs - this.heardMs;
    if (!this.isLoaded()) {
      // Loading has a time of its own; scaled so that one policy judges both.
      const isLate = nowMs - this.openedMs >= limits.joinMs;
      return { silentMs, stalledMs: isLate ? limits.ackStallMs : 0 };
    }
    return {
      silentMs,
      stalledMs: Math.max(
        stalledMs(this.unacked, this.ackAdvancedMs, nowMs),
        stalledMs(this.unreplayed, this.replayAdvancedMs, nowMs),
      ),
    };
  }

  /** Whether entries up to `lastSeq` wait to be sent. */
  hasPending(lastSeq: bigint): boolean {
    return this.baseSeq !== null && this.sentSeq < lastSeq;
  }

  pending(nowMs: number): PendingView {
    return {
      bytes: this.pendingBytes,
      ageMs: nowMs - this.pendingSinceMs,
      hasOutputMark: this.pendingHasOutputMark,
    };
  }

  /** When something is to be sent, or a limit of `health` is reached if nothing is heard. */
  wakeAtMs(lastSeq: bigint, limits: PairLimits): number {
    const healthMs = this.healthWakeAtMs(limits);
    if (this.isBlocked) return healthMs;
    const sendMs = this.hasPending(lastSeq)
      ? this.pendingSinceMs + limits.batchDelayMs
      : this.sentMs + limits.heartbeatMs;
    return Math.min(healthMs, sendMs);
  }

  private healthWakeAtMs(limits: PairLimits): number {
    let wakeMs = this.heardMs + limits.backupSilentMs;
    if (!this.isLoaded()) return Math.min(wakeMs, this.openedMs + limits.joinMs);
    const ackOldest = this.unacked.oldestMs();
    if (ackOldest !== null) {
      wakeMs = Math.min(wakeMs, Math.max(ackOldest, this.ackAdvancedMs) + limits.ackStallMs);
    }
    const replayOldest = this.unreplayed.oldestMs();
    if (replayOldest !== null) {
      wakeMs = Math.min(wakeMs, Math.max(replayOldest, this.replayAdvancedMs) + limits.ackStallMs);
    }
    return wakeMs;
  }

  /** Log that the backup has not acknowledged or not applied, whichever is more. */
  get queuedBytes(): number {
    return Math.max(this.unacked.bytes, this.unreplayed.bytes);
  }

  /** Age of the oldest entry that the backup's machine has not applied. */
  lagMs(nowMs: number): number {
    const oldest = this.unreplayed.oldestMs();
    return oldest === null ? 0 : nowMs - oldest;
  }

  /** This process did not run for `lagMs`: nobody could be heard in that time. */
  creditLag(lagMs: number, nowMs: number): void {
    this.heardMs = Math.min(nowMs, this.heardMs + lagMs);
    this.ackAdvancedMs = Math.min(nowMs, this.ackAdvancedMs + lagMs);
    this.replayAdvancedMs = Math.min(nowMs, this.replayAdvancedMs + lagMs);
  }
}

function stalledMs(backlog: Backlog, advancedMs: number, nowMs: number): number {
  const oldest = backlog.oldestMs();
  return oldest === null ? 0 : nowMs - Math.max(oldest, advancedMs);
}
