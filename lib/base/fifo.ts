/**
 * A queue that is read at any place and left at the front: what is dropped costs no moving of what
 * stays. An array's `splice` at its front moves all of it each time.
 */

import { assert } from './assert.js';

/** Places that may be empty at the front before the array is cut. */
const SLACK = 1_024;

export class Fifo<T> {
  private items: T[] = [];
  private head = 0;

  get length(): number {
    return this.items.length - this.head;
  }

  /** The item `index` places behind the front; undefined beyond the end. */
  at(index: number): T | undefined {
    assert(index >= 0, `place ${index} of a queue`);
    return this.items[this.head + index];
  }

  /** The newest item. */
  last(): T | undefined {
    return this.length === 0 ? undefined : this.items[this.items.length - 1];
  }

  push(item: T): void {
    this.items.push(item);
  }

  /** Takes the newest item out again. */
  pop(): T | undefined {
    return this.length === 0 ? undefined : this.items.pop();
  }

  /** Leaves out the `count` oldest items. They are let go of within some pushes and drops. */
  drop(count: number): void {
    assert(count >= 0 && count <= this.length, `${count} of ${this.length} items dropped`);
    this.head += count;
    if (this.head < SLACK && this.head < this.items.length) return;
    if (this.head * 2 < this.items.length) return;
    this.items = this.items.slice(this.head);
    this.head = 0;
  }

  slice(from: number, to: number): T[] {
    return this.items.slice(this.head + from, this.head + to);
  }

  /** From the front on. */
  *[Symbol.iterator](): Iterator<T> {
    for (let index = this.head; index < this.items.length; index++) {
      // Within the bounds, so it is one.
      yield this.items[index] as T;
    }
  }
}
