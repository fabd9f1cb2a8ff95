/**
 * The end of one output stream, by byte offset: what a client that comes back may still ask for.
 *
 * Invariant: the bytes kept are contiguous from `start` to `end`: at most `limitBytes` and one
 * chunk, and beyond that what a client that is attached has still to be given, up to
 * `UNREAD_BYTES`. What was once kept at an offset is never another byte later.
 */

import { assert } from '../base/assert.js';
import { Fifo } from '../base/fifo.js';

interface Chunk {
  readonly offset: bigint;
  readonly bytes: Uint8Array;
}

/** A client that is away longer than the guest takes to write this much has lost some of it. */
export const HISTORY_BYTES = 1024 * 1024;
/** What is kept at most for attached clients; a client that reads slower than the guest writes. */
export const UNREAD_BYTES = 16 * 1024 * 1024;

export class StreamHistory {
  private readonly limitBytes: number;
  private readonly chunks = new Fifo<Chunk>();
  private size = 0;
  private endOffset: bigint;

  /** Nothing is kept before `start`. */
  constructor(start = 0n, limitBytes = HISTORY_BYTES) {
    this.endOffset = start;
    this.limitBytes = limitBytes;
  }

  /** Offset of the oldest byte kept. */
  get start(): bigint {
    return this.endOffset - BigInt(this.size);
  }

  /** Offset after the newest byte. */
  get end(): bigint {
    return this.endOffset;
  }

  /**
   * Adds bytes at `offset`; what is here already is skipped. False if bytes are missing between
   * the end and `offset`. Attached clients have still to be given what is at `unread` and after it;
   * none where it is left out.
   */
  append(offset: bigint, bytes: Uint8Array, unread?: bigint): boolean {
    if (offset > this.endOffset) return false;
    const known = this.endOffset - offset;
    if (known >= BigInt(bytes.length)) return true;
    const fresh = bytes.subarray(Number(known));
    this.chunks.push({ offset: this.endOffset, bytes: fresh });
    this.endOffset += BigInt(fresh.length);
    this.size += fresh.length;
    this.dropOld(unread ?? this.endOffset);
    return true;
  }

  /** Up to `maxBytes` from `offset`, at least one byte if there is one. */
  read(offset: bigint, maxBytes: number): Uint8Array {
    assert(offset >= this.start && offset <= this.endOffset, `no byte ${offset} in the history`);
    let low = 0;
    let high = this.chunks.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const chunk = this.chunks.at(middle);
      if (chunk !== undefined && chunk.offset + BigInt(chunk.bytes.length) <= offset) {
        low = middle + 1;
      } else high = middle;
    }
    const parts: Uint8Array[] = [];
    let wanted = maxBytes;
    let at = offset;
    for (let index = low; index < this.chunks.length && wanted > 0; index += 1) {
      const chunk = this.chunks.at(index);
      if (chunk === undefined) break;
      const from = Number(at - chunk.offset);
      const part = chunk.bytes.subarray(from, from + wanted);
      parts.push(part);
      wanted -= part.length;
      at += BigInt(part.length);
    }
    const [only] = parts;
    return parts.length === 1 && only !== undefined ? only : Buffer.concat(parts);
  }

  /** Forgets everything from `offset` on, and keeps what is before it. */
  truncate(offset: bigint): void {
    if (offset >= this.endOffset) return;
    for (let last = this.chunks.pop(); last !== undefined; last = this.chunks.pop()) {
      this.size -= last.bytes.length;
      if (last.offset >= offset) continue;
      const bytes = last.bytes.subarray(0, Number(offset - last.offset));
      this.chunks.push({ offset: last.offset, bytes });
      this.size += bytes.length;
      break;
    }
    this.endOffset = offset;
  }

  private dropOld(unread: bigint): void {
    let drop = 0;
    for (let chunk = this.chunks.at(0); chunk !== undefined; chunk = this.chunks.at(drop)) {
      const rest = this.size - chunk.bytes.length;
      const isUnread = chunk.offset + BigInt(chunk.bytes.length) > unread;
      if (rest < (isUnread ? UNREAD_BYTES : this.limitBytes)) break;
      this.size = rest;
      drop += 1;
    }
    if (drop > 0) this.chunks.drop(drop);
  }
}
