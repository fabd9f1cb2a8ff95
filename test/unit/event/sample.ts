/**
 * Samples of log events from a seeded generator, for property tests of codec, batch and log.
 */

import type { EventKind, LogEntry, LogEvent, Point } from '../../../lib/event/event.js';
import { EVENT_KINDS } from '../../../lib/event/codec.js';
import { INPUT_STREAMS, OUTPUT_STREAMS } from '../../../lib/event/event.js';

/** Small deterministic generator; its quality is enough for tests. */
export class Random {
  private state: number;

  constructor(seed: number) {
    this.state = seed | 0;
  }

  u32(): number {
    this.state = (Math.imul(this.state, 1664525) + 1013904223) | 0;
    let mixed = Math.imul(this.state ^ (this.state >>> 15), 0x2c1b3c6d);
    mixed = Math.imul(mixed ^ (mixed >>> 12), 0x297a2d39);
    return (mixed ^ (mixed >>> 15)) >>> 0;
  }

  below(limit: number): number {
    return this.u32() % limit;
  }

  /** 64 bits of a random width, so that small and large values are both common. */
  u64(): bigint {
    const wide = (BigInt(this.u32()) << 32n) | BigInt(this.u32());
    return this.below(8) === 0 ? 2n ** 64n - 1n - (wide >> 60n) : wide >> BigInt(this.below(64));
  }

  bytes(maxLength: number): Uint8Array {
    return Uint8Array.from({ length: this.below(maxLength + 1) }, () => this.u32());
  }

  pick<T>(choices: readonly T[]): T {
    const choice = choices[this.below(choices.length)];
    if (choice === undefined) throw new Error('nothing to pick from');
    return choice;
  }
}

/** Events of a machine with several harts whose steps never go back. */
export class EventSample {
  private readonly random: Random;
  private readonly steps: bigint[];

  constructor(random: Random, harts = 4) {
    this.random = random;
    this.steps = Array.from({ length: harts }, () => 0n);
  }

  private advance(hart: number): bigint {
    const step = (this.steps[hart] ?? 0n) + BigInt(this.random.below(3) * this.random.u32());
    this.steps[hart] = step;
    return step;
  }

  private point(): Point {
    const hart = this.random.below(this.steps.length);
    return { hart, step: this.advance(hart) };
  }

  private ascending<T>(count: number, value: () => T): [number, T][] {
    let index = this.random.below(10);
    return Array.from({ length: count }, () => {
      const item: [number, T] = [index, value()];
      index += 1 + this.random.below(3) * this.random.below(100);
      return item;
    });
  }

  event(kind: EventKind = this.random.pick(EVENT_KINDS), epoch = 1n): LogEvent {
    const { random } = this;
    switch (kind) {
      case 'epoch':
        return { kind, epoch };
      case 'horizon':
        return { kind, steps: this.steps.map((_, hart) => this.advance(hart)) };
      case 'console-input':
        return {
          kind,
          ...this.point(),
          stream: random.pick(INPUT_STREAMS),
          client: random.u64(),
          sequence: random.u64(),
          bytes: random.bytes(random.below(20) === 0 ? 4096 : 12),
        };
      case 'entropy':
        return { kind, ...this.point(), bytes: random.bytes(64) };
      case 'frame':
        return { kind, ...this.point(), bytes: random.bytes(random.below(20) === 0 ? 1518 : 60) };
      case 'rebase':
        return { kind, ...this.point(), rate: random.u64() };
      case 'wake':
        return { kind, ...this.point(), time: random.u64() };
      case 'interrupt':
        return { kind, ...this.point(), cause: random.below(64) };
      case 'output-mark':
        return {
          kind,
          ...this.point(),
          stream: random.pick(OUTPUT_STREAMS),
          offset: random.u64(),
          digest: random.u64(),
        };
      case 'state-hash':
        return {
          kind,
          ...this.point(),
          hash: random.u64(),
          words: this.ascending(random.below(20), () => random.u64()),
          pages:
            random.below(2) === 0 ? null : this.ascending(random.below(20), () => random.u64()),
        };
      case 'control':
        return {
          kind,
          ...this.point(),
          action: random.pick(['power-off', 'reset', 'snapshot'] as const),
        };
      case 'steal':
        return {
          kind,
          ...this.point(),
          page: random.below(65536),
          mode: random.pick(['read', 'write'] as const),
          byDevice: random.below(2) === 1,
          victims: Array.from({ length: random.below(4) }, () => this.point()),
        };
    }
  }
}

/** Consecutive entries with random events, the first numbered `firstSeq`. */
export function sampleEntries(random: Random, count: number, firstSeq = 1n): LogEntry[] {
  const sample = new EventSample(random);
  return Array.from({ length: count }, (_, index) => ({
    seq: firstSeq + BigInt(index),
    event: sample.event(),
  }));
}
