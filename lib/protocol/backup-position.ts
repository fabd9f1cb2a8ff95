/**
 * How far a backup has come in the log, and what the primary said of its own progress.
 *
 * Invariant: replayed, durable <= received. Batches move `receivedSeq`, the host the other two;
 * only a snapshot moves any of them back.
 */

import { assert } from '../base/assert.js';
import type { BackupPolicy } from './backup-policy.js';

export class BackupPosition {
  receivedSeq: bigint;
  durableSeq: bigint;
  replayedSeq: bigint;
  /** Number of the last `epoch` entry received. */
  logEpoch: bigint;
  /** Outputs marked up to here have left the primary. */
  releasedSeq = 0n;
  /** Last entry that the primary said it had recorded. */
  primarySeq = 0n;
  powerOffSeq: bigint | null = null;

  constructor(position: bigint, logEpoch: bigint) {
    this.receivedSeq = position;
    this.durableSeq = position;
    this.replayedSeq = position;
    this.logEpoch = logEpoch;
  }

  /** How far each watermark has come. */
  watermarks(): Readonly<
    Record<'receivedSeq' | 'replayedSeq' | 'durableSeq' | 'primarySeq', bigint>
  > {
    const { receivedSeq, replayedSeq, durableSeq, primarySeq } = this;
    return { receivedSeq, replayedSeq, durableSeq, primarySeq };
  }

  received(batch: {
    readonly lastSeq: bigint;
    readonly releasedSeq: bigint;
    readonly powerOffSeq: bigint | null;
  }): void {
    this.receivedSeq = batch.lastSeq;
    if (batch.powerOffSeq !== null) this.powerOffSeq = batch.powerOffSeq;
    this.heard(batch);
  }

  /** What an `epoch` entry means in a session of `sessionEpoch`. */
  epochEntry(
    epoch: bigint,
    session: { readonly epoch: bigint; readonly counted: boolean },
    policy: BackupPolicy,
  ): 'opens' | 'protects' | 'wrong' {
    if (epoch < this.logEpoch || epoch > session.epoch) return 'wrong';
    const isRepeated = epoch === this.logEpoch;
    this.logEpoch = epoch;
    const isOfSession = epoch === session.epoch;
    const begins = policy.beginsProtection(isRepeated, isOfSession, session.counted);
    return begins ? 'protects' : 'opens';
  }

  /** Watermarks of the primary only rise. */
  heard(message: { readonly lastSeq: bigint; readonly releasedSeq: bigint }): void {
    if (message.releasedSeq > this.releasedSeq) this.releasedSeq = message.releasedSeq;
    if (message.lastSeq > this.primarySeq) this.primarySeq = message.lastSeq;
  }

  /** True if that is news. */
  durable(seq: bigint): boolean {
    if (seq <= this.durableSeq || seq > this.receivedSeq) return false;
    this.durableSeq = seq;
    return true;
  }

  replayed(seq: bigint): void {
    assert(seq <= this.receivedSeq, `replayed ${seq}, received ${this.receivedSeq}`);
    if (seq > this.replayedSeq) this.replayedSeq = seq;
  }

  /** The machine has the state after `seq`, taken in an epoch that was open already. */
  loaded(seq: bigint, epoch: bigint): void {
    this.drop();
    this.receivedSeq = seq;
    this.durableSeq = seq;
    this.replayedSeq = seq;
    this.logEpoch = epoch;
  }

  /** Nothing held is worth keeping: the next hello asks for everything. */
  drop(): void {
    this.receivedSeq = 0n;
    this.durableSeq = 0n;
    this.replayedSeq = 0n;
    this.logEpoch = 0n;
    this.releasedSeq = 0n;
    this.powerOffSeq = null;
  }
}
