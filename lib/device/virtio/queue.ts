/**
 * The device side of a split virtqueue (virtio 1.2, section 2.7), written for a hostile driver.
 *
 *   descriptor table      driver ring (avail)           device ring (used)
 *   desc + 16 * n         flags idx ring[n] used_event  flags idx {id, len}[n] avail_event
 *
 * `peek` walks the next chain without consuming it; `finish` returns it to the driver. Every
 * number from guest memory is copied once and checked where it is used, so a driver that rewrites
 * a descriptor under the walk gains nothing. A ring that breaks a rule yields `broken` with the
 * rule, and the device asks for a reset; nothing here throws.
 *
 * Bounds: a chain has at most as many descriptors as the queue, tables of indirect descriptors
 * included, so a walk costs at most `QUEUE_SIZE_MAX` descriptor reads.
 *
 * The position in both rings is the device's own copy in the words of the block; what the driver
 * does to `idx` fields can't move it.
 */

import type { WordBlock } from '../../memory/word-block.js';
import type { DmaPort } from '../port.js';

/** Descriptors in a queue at most; a power of two. */
export const QUEUE_SIZE_MAX = 128;

const DESCRIPTOR_BYTES = 16;
const DESCRIPTOR_NEXT = 1;
const DESCRIPTOR_WRITE = 2;
const DESCRIPTOR_INDIRECT = 4;
const AVAIL_NO_INTERRUPT = 1;
const CHAIN_BYTES_MAX = 0xffff_ffff;

/** Word names of a queue, for the block specification of its device. */
export function queueFields(queue: string): readonly string[] {
  const names = ['size', 'ready', 'desc', 'driver', 'device', 'nextAvail', 'nextUsed'];
  return names.map((name) => `${queue}.${name}`);
}

/** Guest memory that one descriptor names; it lies in RAM. */
export interface Segment {
  readonly address: bigint;
  readonly bytes: number;
}

/** One request: what the device may read, then what it may write. */
export interface Chain {
  readonly kind: 'chain';
  readonly head: number;
  readonly readable: readonly Segment[];
  readonly writable: readonly Segment[];
  readonly readableBytes: number;
  readonly writableBytes: number;
}

export type Peek =
  Chain | { readonly kind: 'empty' } | { readonly kind: 'broken'; readonly rule: string };

export interface QueueFeatures {
  readonly indirect: boolean;
  readonly eventIndex: boolean;
}

interface Descriptor {
  readonly address: bigint;
  readonly bytes: number;
  readonly flags: number;
  readonly next: number;
}

/** Where a walk reads its descriptors: the queue's table or an indirect one. */
interface Table {
  readonly address: bigint;
  readonly count: number;
  readonly indirect: boolean;
}

function broken(rule: string): Peek {
  return { kind: 'broken', rule };
}

export class VirtQueue {
  private readonly block: WordBlock;
  private readonly dma: DmaPort;
  private readonly first: number;

  /** `queue` is the name given to `queueFields`. */
  constructor(block: WordBlock, queue: string, dma: DmaPort) {
    this.block = block;
    this.dma = dma;
    this.first = block.index(`${queue}.size`);
  }

  get size(): number {
    return Number(this.block.get(this.first));
  }
  get ready(): boolean {
    return this.block.get(this.first + 1) !== 0n;
  }
  private get desc(): bigint {
    return this.block.get(this.first + 2);
  }
  private get driver(): bigint {
    return this.block.get(this.first + 3);
  }
  private get device(): bigint {
    return this.block.get(this.first + 4);
  }
  private get nextAvail(): number {
    return Number(this.block.get(this.first + 5));
  }
  private get nextUsed(): number {
    return Number(this.block.get(this.first + 6));
  }

  reset(): void {
    for (let word = 0; word < 7; word++) this.block.set(this.first + word, 0n);
  }

  /** Size and addresses are the driver's until the queue is ready, then locked until reset. */
  setSize(size: number): void {
    if (!this.ready) this.block.set(this.first, BigInt(size & 0xffff));
  }

  /** Sets 32 bits of one ring address; `high` chooses the half. */
  setAddress(ring: 'desc' | 'driver' | 'device', high: boolean, value: bigint): void {
    if (this.ready) return;
    const index = this.first + (ring === 'desc' ? 2 : ring === 'driver' ? 3 : 4);
    const old = this.block.get(index);
    const half = value & 0xffff_ffffn;
    const kept = high ? old & 0xffff_ffffn : old & ~0xffff_ffffn;
    this.block.set(index, kept | (high ? half << 32n : half));
  }

  /** Makes the queue ready; false if its size or its addresses break a rule. */
  enable(): boolean {
    if (this.ready) return true;
    if (!this.isSound()) return false;
    this.block.set(this.first + 1, 1n);
    return true;
  }

  /** The driver takes the queue back: its size and addresses are the driver's again. */
  disable(): void {
    for (const word of [1, 5, 6]) this.block.set(this.first + word, 0n);
  }

  /** Size is a power of two within the limit, and all three rings are aligned and in RAM. */
  private isSound(): boolean {
    const size = this.size;
    if (size === 0 || size > QUEUE_SIZE_MAX || (size & (size - 1)) !== 0) return false;
    if (this.desc % 16n !== 0n || this.driver % 2n !== 0n || this.device % 4n !== 0n) return false;
    return (
      this.dma.contains(this.desc, size * DESCRIPTOR_BYTES) &&
      this.dma.contains(this.driver, 6 + size * 2) &&
      this.dma.contains(this.device, 6 + size * 8)
    );
  }

  /** The next chain of the driver ring, checked in full, still unconsumed. */
  peek(features: QueueFeatures): Peek {
    if (!this.ready) return { kind: 'empty' };
    if (!this.isSound()) return broken('the rings lie in RAM');
    const size = this.size;
    const published = this.dma.readU16(this.driver + 2n);
    const waiting = (published - this.nextAvail) & 0xffff;
    if (waiting === 0) return { kind: 'empty' };
    if (waiting > size) return broken('avail.idx runs at most one queue size ahead');
    const slot = BigInt(this.nextAvail % size);
    const head = this.dma.readU16(this.driver + 4n + slot * 2n);
    if (head >= size) return broken('the head is below the queue size');
    return this.walk(head, features);
  }

  private walk(head: number, features: QueueFeatures): Peek {
    const readable: Segment[] = [];
    const writable: Segment[] = [];
    let readableBytes = 0;
    let writableBytes = 0;
    let table: Table = { address: this.desc, count: this.size, indirect: false };
    let index = head;
    for (let seen = 0; seen < this.size; seen++) {
      const descriptor = this.descriptor(table, index);
      if ((descriptor.flags & DESCRIPTOR_INDIRECT) !== 0) {
        if (!features.indirect) return broken('indirect tables were not negotiated');
        if (table.indirect) return broken('an indirect table holds no indirect descriptor');
        if ((descriptor.flags & DESCRIPTOR_NEXT) !== 0) return broken('an indirect table is last');
        const count = descriptor.bytes / DESCRIPTOR_BYTES;
        if (count === 0 || !Number.isInteger(count) || count > this.size) {
          return broken('an indirect table has 1 to queue-size whole descriptors');
        }
        if (!this.dma.contains(descriptor.address, descriptor.bytes)) {
          return broken('an indirect table lies in RAM');
        }
        table = { address: descriptor.address, count, indirect: true };
        index = 0;
        // The descriptor that names the table carries no data and is not counted.
        seen--;
        continue;
      }
      const { address, bytes } = descriptor;
      if (bytes !== 0 && !this.dma.contains(address, bytes)) return broken('buffers lie in RAM');
      if ((descriptor.flags & DESCRIPTOR_WRITE) !== 0) {
        writable.push({ address, bytes });
        writableBytes += bytes;
      } else {
        if (writable.length > 0) return broken('readable buffers come before writable ones');
        readable.push({ address, bytes });
        readableBytes += bytes;
      }
      if (readableBytes + writableBytes > CHAIN_BYTES_MAX) return broken('a chain is below 4 GiB');
      if ((descriptor.flags & DESCRIPTOR_NEXT) === 0) {
        return { kind: 'chain', head, readable, writable, readableBytes, writableBytes };
      }
      if (descriptor.next >= table.count) return broken('next is below the table size');
      index = descriptor.next;
    }
    return broken('a chain is no longer than the queue');
  }

  /** One descriptor, copied out of guest memory once. */
  private descriptor(table: Table, index: number): Descriptor {
    const bytes = this.dma.read(table.address + BigInt(index * DESCRIPTOR_BYTES), DESCRIPTOR_BYTES);
    const view = new DataView(bytes.buffer, bytes.byteOffset, DESCRIPTOR_BYTES);
    return {
      address: view.getBigUint64(0, true),
      bytes: view.getUint32(8, true),
      flags: view.getUint16(12, true),
      next: view.getUint16(14, true),
    };
  }

  /**
   * Consumes the chain that `peek` gave and returns it to the driver with `writtenBytes`. The
   * answer says whether the driver wants an interrupt for it.
   */
  finish(chain: Chain, writtenBytes: number, features: QueueFeatures): boolean {
    const size = BigInt(this.size);
    const used = this.nextUsed;
    const element = this.device + 4n + (BigInt(used) % size) * 8n;
    this.dma.writeU32(element, chain.head);
    this.dma.writeU32(element + 4n, writtenBytes);
    const nextUsed = (used + 1) & 0xffff;
    this.block.set(this.first + 6, BigInt(nextUsed));
    this.dma.writeU16(this.device + 2n, nextUsed);
    const nextAvail = (this.nextAvail + 1) & 0xffff;
    this.block.set(this.first + 5, BigInt(nextAvail));
    if (!features.eventIndex) {
      return (this.dma.readU16(this.driver) & AVAIL_NO_INTERRUPT) === 0;
    }
    // The driver is to kick for the first chain that this device has not yet consumed.
    this.dma.writeU16(this.device + 4n + size * 8n, nextAvail);
    return this.dma.readU16(this.driver + 4n + size * 2n) === used;
  }
}
