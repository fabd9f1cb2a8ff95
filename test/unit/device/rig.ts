/**
 * Ports for devices under test: words in a buffer of their own, a RAM that checks every DMA, an
 * interrupt line and an output that remember, and a clock that stands where the test puts it.
 */

import { WordBlock, wordCount, type WordBlockSpec } from '../../../lib/memory/word-block.js';
import type { ClockPort, DmaPort, InterruptLine, OutputPort } from '../../../lib/device/port.js';

export function blockOf(spec: WordBlockSpec): WordBlock {
  return new WordBlock(spec, new ArrayBuffer(wordCount(spec) * 8), 0);
}

/** The value of each word by name, for comparison of whole states. */
export function wordsOf(block: WordBlock): Record<string, bigint> {
  return Object.fromEntries([...block.words].map((word, index) => [block.nameOf(index), word]));
}

export class TestLine implements InterruptLine {
  level = false;

  set(level: boolean): void {
    this.level = level;
  }
}

export class TestOutput implements OutputPort {
  readonly chunks: Uint8Array[] = [];
  total = 0;

  emit(_stream: string, bytes: Uint8Array): void {
    this.chunks.push(bytes);
    this.total += bytes.length;
  }

  text(): string {
    return this.chunks.map((chunk) => new TextDecoder('latin1').decode(chunk)).join('');
  }
}

export class TestClock implements ClockPort {
  ticks = 0n;

  now(): bigint {
    return this.ticks;
  }
}

/** RAM from `base` on. An access outside it is the device's mistake and throws. */
export class TestRam implements DmaPort {
  readonly base: bigint;
  readonly bytes: Uint8Array;
  private readonly view: DataView;
  /** Called before each read: a guest that changes memory under the device. */
  onRead: (address: bigint) => void = () => {};

  constructor(base: bigint, size: number) {
    this.base = base;
    this.bytes = new Uint8Array(size);
    this.view = new DataView(this.bytes.buffer);
  }

  contains(address: bigint, bytes: number): boolean {
    return address >= this.base && address + BigInt(bytes) <= this.end;
  }

  get end(): bigint {
    return this.base + BigInt(this.bytes.length);
  }

  private at(address: bigint, bytes: number): number {
    if (!this.contains(address, bytes)) throw new Error(`DMA outside RAM at ${address}`);
    return Number(address - this.base);
  }

  read(address: bigint, bytes: number): Uint8Array {
    this.onRead(address);
    const at = this.at(address, bytes);
    return this.bytes.slice(at, at + bytes);
  }
  write(address: bigint, bytes: Uint8Array): void {
    this.bytes.set(bytes, this.at(address, bytes.length));
  }
  readU16(address: bigint): number {
    this.onRead(address);
    return this.view.getUint16(this.at(address, 2), true);
  }
  readU32(address: bigint): number {
    return this.view.getUint32(this.at(address, 4), true);
  }
  readU64(address: bigint): bigint {
    return this.view.getBigUint64(this.at(address, 8), true);
  }
  writeU16(address: bigint, value: number): void {
    this.view.setUint16(this.at(address, 2), value, true);
  }
  writeU32(address: bigint, value: number): void {
    this.view.setUint32(this.at(address, 4), value, true);
  }
  writeU64(address: bigint, value: bigint): void {
    this.view.setBigUint64(this.at(address, 8), value, true);
  }
}

/** xorshift32: numbers for fuzzing that are the same in every run. */
export function random(seed: number): (below: number) => number {
  let state = seed | 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}
