/**
 * Bytes in order, taken from the front and read anywhere: what a sender keeps until it is
 * acknowledged. Chunks are kept as they come, so adding and dropping copy nothing.
 */

import { assert } from '../base/assert.js';

export class ByteQueue {
  private chunks: Uint8Array[] = [];
  private first = 0;
  private size = 0;

  get length(): number {
    return this.size;
  }

  add(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.chunks.push(bytes);
    this.size += bytes.length;
  }

  /** Forgets the first `count` bytes. */
  drop(count: number): void {
    assert(count <= this.size, `${count} bytes dropped of ${this.size}`);
    this.size -= count;
    let left = count;
    while (left > 0) {
      const chunk = this.chunks[this.first];
      assert(chunk !== undefined, 'a queue holds what its length says');
      if (chunk.length > left) {
        this.chunks[this.first] = chunk.subarray(left);
        break;
      }
      left -= chunk.length;
      this.first += 1;
    }
    if (this.first > 64 && this.first * 2 > this.chunks.length) {
      this.chunks = this.chunks.slice(this.first);
      this.first = 0;
    }
  }

  /** A copy of `count` bytes from position `from` on. */
  read(from: number, count: number): Uint8Array {
    assert(from >= 0 && from + count <= this.size, `${count} bytes at ${from} of ${this.size}`);
    const result = new Uint8Array(count);
    let skip = from;
    let at = 0;
    for (let index = this.first; at < count; index++) {
      const chunk = this.chunks[index];
      assert(chunk !== undefined, 'a queue holds what its length says');
      if (skip >= chunk.length) {
        skip -= chunk.length;
        continue;
      }
      const part = chunk.subarray(skip, skip + count - at);
      result.set(part, at);
      at += part.length;
      skip = 0;
    }
    return result;
  }
}
