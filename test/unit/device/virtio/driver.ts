/**
 * The driver side of virtio for tests: an honest driver that negotiates and queues requests, whose
 * memory layout is in the open, so that a test can then lie in any field.
 */

import type { VirtioDevice } from '../../../../lib/device/virtio/mmio.js';
import type { TestRam } from '../rig.js';

export const NEXT = 1;
export const WRITE = 2;
export const INDIRECT = 4;

export const VERSION_1 = 1n << 32n;
export const RING_INDIRECT = 1n << 28n;
export const RING_EVENT_INDEX = 1n << 29n;

const STATUS = 0x70;
export const NEEDS_RESET = 64;

export interface TestDescriptor {
  readonly address: bigint;
  readonly bytes: number;
  readonly flags: number;
  readonly next: number;
}

/** Where one queue of the driver lies, and how far it has come. */
export class DriverQueue {
  readonly index: number;
  readonly size: number;
  readonly desc: bigint;
  readonly avail: bigint;
  readonly used: bigint;
  private readonly ram: TestRam;
  availIndex = 0;

  constructor(ram: TestRam, index: number, size: number) {
    this.ram = ram;
    this.index = index;
    this.size = size;
    this.desc = ram.base + BigInt(0x1000 + index * 0x4000);
    this.avail = this.desc + 0x1000n;
    this.used = this.desc + 0x2000n;
  }

  describe(slot: number, descriptor: TestDescriptor): void {
    writeDescriptor(this.ram, this.desc + BigInt(slot * 16), descriptor);
  }

  /** Puts `head` into the ring and publishes it. */
  offer(head: number): void {
    const at = this.avail + 4n + BigInt(this.availIndex % this.size) * 2n;
    this.ram.writeU16(at, head);
    this.availIndex = (this.availIndex + 1) & 0xffff;
    this.publish(this.availIndex);
  }

  publish(index: number): void {
    this.ram.writeU16(this.avail + 2n, index);
  }

  set usedEvent(index: number) {
    this.ram.writeU16(this.avail + 4n + BigInt(this.size * 2), index);
  }
  get availEvent(): number {
    return this.ram.readU16(this.used + 4n + BigInt(this.size * 8));
  }
  set availFlags(flags: number) {
    this.ram.writeU16(this.avail, flags);
  }
  get usedIndex(): number {
    return this.ram.readU16(this.used + 2n);
  }

  /** Entry `n` of the used ring, counted from power-on. */
  usedEntry(n: number): { readonly head: number; readonly bytes: number } {
    const at = this.used + 4n + BigInt(n % this.size) * 8n;
    return { head: this.ram.readU32(at), bytes: this.ram.readU32(at + 4n) };
  }
}

export function writeDescriptor(ram: TestRam, at: bigint, descriptor: TestDescriptor): void {
  ram.writeU64(at, descriptor.address);
  ram.writeU32(at + 8n, descriptor.bytes);
  ram.writeU16(at + 12n, descriptor.flags);
  ram.writeU16(at + 14n, descriptor.next);
}

export class Driver {
  readonly device: VirtioDevice;
  private readonly ram: TestRam;

  constructor(device: VirtioDevice, ram: TestRam) {
    this.device = device;
    this.ram = ram;
  }

  read(offset: number): number {
    return Number(this.device.read(offset, 4));
  }
  write(offset: number, value: number | bigint): void {
    this.device.write(offset, 4, BigInt(value));
  }

  get status(): number {
    return this.read(STATUS);
  }
  set status(value: number) {
    this.write(STATUS, value);
  }
  get needsReset(): boolean {
    return (this.status & NEEDS_RESET) !== 0;
  }

  /** Up to FEATURES_OK. */
  negotiate(features: bigint): void {
    this.status = 0;
    this.status = 1;
    this.status = 3;
    this.write(0x24, 0);
    this.write(0x20, features & 0xffff_ffffn);
    this.write(0x24, 1);
    this.write(0x20, features >> 32n);
    this.status = 11;
  }

  /** Gives a queue its rings, wherever they are said to be, and makes it ready. */
  place(queue: DriverQueue, desc = queue.desc, avail = queue.avail, used = queue.used): void {
    this.write(0x30, queue.index);
    this.write(0x38, queue.size);
    for (const [offset, address] of [
      [0x80, desc],
      [0x90, avail],
      [0xa0, used],
    ] as const) {
      this.write(offset, address & 0xffff_ffffn);
      this.write(offset + 4, address >> 32n);
    }
    this.write(0x44, 1);
  }

  /** From reset to DRIVER_OK with queues of `size`, one for each of `indices`. */
  start(
    features: bigint,
    size: number,
    indices: readonly number[],
  ): readonly [DriverQueue, ...DriverQueue[]] {
    this.negotiate(features);
    const queues = indices.map((index) => new DriverQueue(this.ram, index, size));
    for (const queue of queues) this.place(queue);
    this.status = 15;
    const [first, ...rest] = queues;
    if (first === undefined) throw new Error('a driver has at least one queue');
    return [first, ...rest];
  }

  kick(queue: number): void {
    this.write(0x50, queue);
  }

  acknowledge(): number {
    const causes = this.read(0x60);
    this.write(0x64, causes);
    return causes;
  }
}
