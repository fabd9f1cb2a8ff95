/**
 * The end of an output stream that a replica has regenerated and swallowed, kept so that it can
 * be sent again by whoever is promoted.
 *
 * Everything from the released position on is kept, because nobody may have seen it. Some history
 * before it is kept too: what a primary released may have died in its sockets, so a client that
 * comes back asks for bytes from before the mark.
 *
 * Invariant: start <= released, unless more than `MAX_TAIL_BYTES` were never released; a primary
 * holds back far less, only an offline replay gets there, and it sends nothing.
 */

import { assert } from '../base/assert.js';
import { Fifo } from '../base/fifo.js';

/** History kept before the released position: more than any socket on the way buffers. */
export const HISTORY_BYTES = 1 << 20;
/** Upper bound of what is kept at all. */
export const MAX_TAIL_BYTES = 16 << 20;

export interface TailBytes {
  readonly offset: bigint;
  readonly bytes: Uint8Array;
  /** Output before it is known to have left the primary. */
  readonly released: bigint;
}

export class OutputTail {
  private readonly chunks = new Fifo<Uint8Array>();
  private kept = 0;
  private start: bigint;
  private released: bigint;

  constructor(offset: bigint) {
    this.start = offset;
    this.released = offset;
  }

  add(bytes: Uint8Array): void {
    this.chunks.push(bytes);
    this.kept += bytes.length;
    this.trim();
  }

  /** Output before `offset` has left the primary. */
  release(offset: bigint): void {
    if (offset > this.released) this.released = offset;
    this.trim();
  }

  /** What is kept from `offset` on; begins later if that is no longer kept. */
  from(offset: bigint): TailBytes {
    const end = this.start + BigInt(this.kept);
    const begin = offset < this.start ? this.start : offset > end ? end : offset;
    const all = new Uint8Array(this.kept);
    let at = 0;
    for (const chunk of this.chunks) {
      all.set(chunk, at);
      at += chunk.length;
    }
    assert(at === this.kept, `${at} bytes of output kept, counted ${this.kept}`);
    const bytes = all.subarray(Number(begin - this.start));
    return { offset: begin, bytes, released: this.released };
  }

  private trim(): void {
    for (;;) {
      const chunk = this.chunks.at(0);
      if (chunk === undefined) return;
      const end = this.start + BigInt(chunk.length);
      const old = end <= this.released && this.kept - chunk.length >= HISTORY_BYTES;
      if (!old && this.kept <= MAX_TAIL_BYTES) return;
      this.start = end;
      this.kept -= chunk.length;
      this.chunks.drop(1);
    }
  }
}
