/**
 * What happens when: a binary heap of actions, ordered by time and, at the same time, by the
 * order in which they were planned. This order is the whole schedule of a simulation.
 *
 * Times are milliseconds of the world's clock, which no node can see.
 */

import { assert, present } from '../base/assert.js';

interface Planned {
  readonly atMs: number;
  readonly order: number;
  readonly act: () => void;
}

export class Agenda {
  nowMs = 0;
  private readonly heap: Planned[] = [];
  private planned = 0;

  /** Number of actions done so far. */
  done = 0;

  at(atMs: number, act: () => void): void {
    assert(atMs >= this.nowMs, `planned for ${atMs}, now ${this.nowMs}`);
    this.planned += 1;
    const item = { atMs, order: this.planned, act };
    this.heap.push(item);
    this.rise(this.heap.length - 1);
  }

  after(delayMs: number, act: () => void): void {
    this.at(this.nowMs + delayMs, act);
  }

  /** Acts until `untilMs`, or until `isOver` says so after some action. */
  run(untilMs: number, isOver: () => boolean): void {
    for (;;) {
      const first = this.heap[0];
      if (first === undefined || first.atMs > untilMs) break;
      this.removeFirst();
      this.nowMs = first.atMs;
      this.done += 1;
      first.act();
      if (isOver()) return;
    }
    this.nowMs = Math.max(this.nowMs, untilMs);
  }

  private rise(from: number): void {
    const heap = this.heap;
    const item = present(heap[from], 'heap item');
    let index = from;
    while (index > 0) {
      const parentIndex = (index - 1) >> 1;
      const parent = present(heap[parentIndex], 'heap parent');
      if (!isBefore(item, parent)) break;
      heap[index] = parent;
      index = parentIndex;
    }
    heap[index] = item;
  }

  private removeFirst(): void {
    const heap = this.heap;
    const last = present(heap.pop(), 'heap end');
    const length = heap.length;
    if (length === 0) return;
    let index = 0;
    for (;;) {
      let childIndex = 2 * index + 1;
      let child = heap[childIndex];
      if (child === undefined) break;
      const right = heap[childIndex + 1];
      if (right !== undefined && isBefore(right, child)) {
        childIndex += 1;
        child = right;
      }
      if (!isBefore(child, last)) break;
      heap[index] = child;
      index = childIndex;
    }
    heap[index] = last;
  }
}

function isBefore(left: Planned, right: Planned): boolean {
  return left.atMs < right.atMs || (left.atMs === right.atMs && left.order < right.order);
}
