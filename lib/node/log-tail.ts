/**
 * The end of the log in memory, as encoded batches: what a follower may still be sent, and the
 * chain hash at each position where a batch ends.
 *
 * Batches on the wire, in memory and on disk are the same bytes, so that equal chain hashes mean
 * equal histories everywhere. Written to disk first, then kept, then sent: whatever a backup has
 * is in the file of the primary that sent it, also after a SIGKILL.
 *
 * Invariant: batches are contiguous; none that is pinned is dropped; of the others as many are
 * kept as fit the limit.
 */

import { assert, present } from '../base/assert.js';
import { Fifo } from '../base/fifo.js';
import type { EncodedBatch } from '../event/batch.js';
import type { LogEntry } from '../event/event.js';

export interface TailBatch extends EncodedBatch {
  readonly firstSeq: bigint;
  readonly lastSeq: bigint;
  /** Monotonic clock of whoever recorded it, in nanoseconds. */
  readonly recordedNs: bigint;
  /** Newest step of hart 0 that the batch names; 0 if it names none. */
  readonly step: bigint;
}

/** Newest step of hart 0 that `entries` name; 0 if they name none. */
export function newestStep(entries: readonly LogEntry[]): bigint {
  for (let index = entries.length - 1; index >= 0; index -= 1) {
    const event = entries[index]?.event;
    if (event?.kind === 'horizon') return event.steps[0] ?? 0n;
    if (event !== undefined && 'hart' in event && event.hart === 0) return event.step;
  }
  return 0n;
}

/** What lies between an entry and the end of the log: what a replica there has to make up. */
export interface Distance {
  readonly bytes: number;
  readonly steps: bigint;
}

/** Where batches are kept for good; null without a state directory. */
export interface LogSink {
  append(batch: TailBatch): void;
}

/** Unpinned log kept for a backup or a watcher that comes back. */
const KEEP_BYTES = 16 * 1024 * 1024;

export class LogTail {
  private readonly sink: LogSink | null;
  private readonly keepBytes: number;
  private readonly batches = new Fifo<TailBatch>();
  private size = 0;
  private startSeq: bigint;
  private startHash: Uint8Array;
  private startStep = 0n;
  private pinnedSeq: bigint | null = null;

  /** The log goes on after entry `seq`, at which the chain has `hash`. */
  constructor(
    position: { seq: bigint; hash: Uint8Array },
    sink: LogSink | null,
    keep = KEEP_BYTES,
  ) {
    this.startSeq = position.seq;
    this.startHash = position.hash;
    this.sink = sink;
    this.keepBytes = keep;
  }

  get lastSeq(): bigint {
    return this.batches.last()?.lastSeq ?? this.startSeq;
  }

  get lastHash(): Uint8Array {
    return this.batches.last()?.hash ?? this.startHash;
  }

  append(batch: TailBatch): void {
    assert(batch.firstSeq === this.lastSeq + 1n, `batch ${batch.firstSeq} after ${this.lastSeq}`);
    this.sink?.append(batch);
    this.batches.push(batch);
    this.size += batch.bytes.length;
    this.dropOld();
  }

  /** Chain hash after entry `seq`, or null if no batch that is kept ends there. */
  hashAt(seq: bigint): Uint8Array | null {
    if (seq === this.startSeq) return this.startHash;
    const batch = this.batches.at(this.indexOf(seq));
    return batch?.lastSeq === seq ? batch.hash : null;
  }

  /** The batches that hold the entries from `firstSeq` to `lastSeq`, which begin and end them. */
  range(firstSeq: bigint, lastSeq: bigint): readonly TailBatch[] {
    const from = this.indexOf(firstSeq);
    const to = this.indexOf(lastSeq);
    const batches = this.batches.slice(from, to + 1);
    const first = present(batches[0], `batch of entry ${firstSeq}`);
    const last = present(batches.at(-1), `batch of entry ${lastSeq}`);
    assert(first.firstSeq === firstSeq, `entry ${firstSeq} does not begin a batch`);
    assert(last.lastSeq === lastSeq, `entry ${lastSeq} does not end a batch`);
    return batches;
  }

  /** The batch that holds entry `seq`, or null if it is not kept (any more or yet). */
  batchOf(seq: bigint): TailBatch | null {
    const batch = this.batches.at(this.indexOf(seq));
    return batch !== undefined && batch.firstSeq <= seq ? batch : null;
  }

  /** How far entry `seq` is behind; steps are counted too high where they are not known. */
  distanceFrom(seq: bigint): Distance {
    // The first batch that ends after `seq`: what is before it is not looked at.
    const first = this.indexOf(seq + 1n);
    let bytes = 0;
    for (let at = first; at < this.batches.length; at += 1) {
      bytes += this.batches.at(at)?.bytes.length ?? 0;
    }
    return { bytes, steps: this.stepBefore(this.batches.length) - this.stepBefore(first) };
  }

  /** Keeps everything after entry `seq`, whatever the limit; null pins nothing. */
  pin(seq: bigint | null): void {
    this.pinnedSeq = seq;
    this.dropOld();
  }

  /** The newest step that is named before the batch at `end`. */
  private stepBefore(end: number): bigint {
    for (let at = end - 1; at >= 0; at -= 1) {
      const step = this.batches.at(at)?.step ?? 0n;
      if (step > 0n) return step;
    }
    return this.startStep;
  }

  /** Index of the first batch that ends at `seq` or later. */
  private indexOf(seq: bigint): number {
    let low = 0;
    let high = this.batches.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.batches.at(middle)?.lastSeq ?? 0n) < seq) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  private dropOld(): void {
    let drop = 0;
    for (let batch = this.batches.at(0); batch !== undefined; batch = this.batches.at(drop)) {
      if (this.size <= this.keepBytes) break;
      if (this.pinnedSeq !== null && batch.lastSeq > this.pinnedSeq) break;
      this.size -= batch.bytes.length;
      this.startSeq = batch.lastSeq;
      this.startHash = batch.hash;
      if (batch.step > 0n) this.startStep = batch.step;
      drop += 1;
    }
    if (drop > 0) this.batches.drop(drop);
  }
}
