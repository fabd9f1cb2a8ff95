/**
 * What has been recorded but not yet passed by a watermark: how many bytes, and since when.
 *
 * One backlog counts entries without ack, one entries not yet replayed, one outputs held back.
 * Pushes of about the same time are merged, so that the number of items depends on time, not on
 * the number of entries; a merged item leaves when its last entry is passed.
 *
 * Invariant: sequence numbers and times never fall from one item to the next.
 */

import { assert } from '../base/assert.js';

interface Item {
  lastSeq: bigint;
  bytes: number;
  readonly sinceMs: number;
}

/** Pushes within this time share an item; it is the resolution of `oldestMs`. */
const MERGE_MS = 1;

export class Backlog {
  private items: Item[] = [];
  private head = 0;
  private totalBytes = 0;

  /** Bytes not yet passed. */
  get bytes(): number {
    return this.totalBytes;
  }

  /** When the oldest entry not yet passed was pushed; null if there is none. */
  oldestMs(): number | null {
    return this.items[this.head]?.sinceMs ?? null;
  }

  push(lastSeq: bigint, bytes: number, nowMs: number): void {
    assert(bytes >= 0, `backlog of ${bytes} bytes`);
    this.totalBytes += bytes;
    const newest = this.items.at(-1);
    if (newest !== undefined && this.head < this.items.length) {
      assert(lastSeq >= newest.lastSeq, `entry ${lastSeq} after ${newest.lastSeq}`);
      if (nowMs - newest.sinceMs < MERGE_MS) {
        newest.lastSeq = lastSeq;
        newest.bytes += bytes;
        return;
      }
    }
    this.items.push({ lastSeq, bytes, sinceMs: nowMs });
  }

  /** Drops what the watermark `seq` has passed. */
  passTo(seq: bigint): void {
    for (;;) {
      const oldest = this.items[this.head];
      if (oldest === undefined || oldest.lastSeq > seq) break;
      this.totalBytes -= oldest.bytes;
      this.head += 1;
    }
    // Amortised: a move of the rest happens only after as many items were dropped.
    if (this.head * 2 > this.items.length) {
      this.items = this.items.slice(this.head);
      this.head = 0;
    }
    assert(this.totalBytes >= 0, `backlog of ${this.totalBytes} bytes`);
  }

  clear(): void {
    this.items = [];
    this.head = 0;
    this.totalBytes = 0;
  }
}
