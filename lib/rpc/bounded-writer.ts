/**
 * Writes to a gRPC stream with a queue that is bounded in bytes.
 *
 * `write()` of a grpc-js stream always accepts, and returns false when it should not have been
 * asked: whoever ignores that buffers without end. Here messages wait in a queue of their own
 * until 'drain', and the queue refuses what would exceed its limit, so the caller can slow the
 * source down or give up on a reader.
 *
 * Invariant: queuedBytes is the sum of the sizes of the waiting messages, and ≤ limitBytes unless
 * a single larger message waits alone.
 * 'drain' means that HTTP/2 took the bytes, not that the peer has them.
 */

import { assert } from '../base/assert.js';
import { Fifo } from '../base/fifo.js';

/** The part of a grpc-js writable stream that is used here. */
export interface WritableStream<T> {
  write(message: T): boolean;
  once(event: 'drain', listener: () => void): unknown;
}

export class BoundedWriter<T> {
  private readonly stream: WritableStream<T>;
  private readonly limitBytes: number;
  private readonly onIdle: () => void;
  private readonly waiting = new Fifo<{ readonly message: T; readonly bytes: number }>();
  private blocked = false;
  private closed = false;
  private size = 0;

  /** `onIdle` is called each time that HTTP/2 takes more after it had asked to wait. */
  constructor(stream: WritableStream<T>, limitBytes: number, onIdle: () => void) {
    this.stream = stream;
    this.limitBytes = limitBytes;
    this.onIdle = onIdle;
  }

  get queuedBytes(): number {
    return this.size;
  }

  /** True if nothing waits here and HTTP/2 takes more. */
  get isIdle(): boolean {
    return !this.blocked && this.size === 0;
  }

  /**
   * Sends `message` now or later, in order. False if it was refused because the queue is full; a
   * message larger than the limit is taken only by an empty queue.
   */
  offer(message: T, bytes: number): boolean {
    if (this.closed) return false;
    if (!this.blocked) {
      this.send(message);
      return true;
    }
    if (this.size > 0 && this.size + bytes > this.limitBytes) return false;
    this.waiting.push({ message, bytes });
    this.size += bytes;
    return true;
  }

  /** Drops what waits; later offers are refused. */
  close(): void {
    this.closed = true;
    this.waiting.drop(this.waiting.length);
    this.size = 0;
  }

  private send(message: T): void {
    if (this.stream.write(message)) return;
    this.blocked = true;
    this.stream.once('drain', () => this.drain());
  }

  private drain(): void {
    this.blocked = false;
    while (!this.blocked && !this.closed) {
      const next = this.waiting.at(0);
      if (next === undefined) break;
      this.waiting.drop(1);
      this.size -= next.bytes;
      this.send(next.message);
    }
    const isEmpty = this.waiting.length === 0;
    assert(!isEmpty || this.size === 0, `an empty queue holds ${this.size} bytes`);
    if (this.isIdle && !this.closed) this.onIdle();
  }
}
