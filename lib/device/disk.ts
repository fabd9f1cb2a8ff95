/**
 * A disk: a base image that is never written, and an overlay of the blocks that were.
 *
 *   state of a block   base ----write----> written
 *                        \                 |   ^
 *                         +----zero----> zero -+      (reset: all of them base again)
 *
 * Blocks have 4096 bytes, as RAM pages have, so that checks, snapshots and transfers take them for
 * pages: what a replica needs beside the base image is the blocks that are not `base`, and what a
 * check compares is those written since the last one. A write of less than a block copies the rest
 * of it from the base first.
 *
 * Where the bytes lie is the business of the storage; this class holds only the index, one byte a
 * block. Invariant: storage has the data of every `written` block, and its map repeats the index.
 */

import { assert } from '../base/assert.js';
import type { DiskPort } from './port.js';

export const SECTOR_BYTES = 512;
export const BLOCK_BYTES = 4096;
const BLOCK_SECTORS = BLOCK_BYTES / SECTOR_BYTES;

/** Values of the index, and of the map that an overlay keeps. */
export const BLOCK_STATE = { base: 0, written: 1, zero: 2 } as const;

/** Where the bytes of a disk are. Calls are complete when they return; failures throw IO. */
export interface DiskStorage {
  /** Fills `into` with the base image from byte `offset` on; zeros beyond its end. */
  readBase(offset: number, into: Uint8Array): void;
  readOverlay(offset: number, into: Uint8Array): void;
  writeOverlay(offset: number, bytes: Uint8Array): void;
  /** Keeps the states of the blocks from `first` on. */
  writeMap(first: number, states: Uint8Array): void;
  /** Called when the guest asks for its writes to be safe. */
  flush(): void;
}

/** Some blocks of equal state, and the bytes of a request that they cover. */
interface Run {
  readonly state: number;
  readonly offset: number;
  readonly end: number;
}

export class Disk implements DiskPort {
  readonly sectorCount: number;
  readonly blockCount: number;
  private readonly storage: DiskStorage;
  private readonly states: Uint8Array;
  /** Blocks changed since they were last taken, and how many there are. */
  private readonly dirty: Uint8Array;
  private dirtyCount = 0;
  /** No dirty block is below this one. */
  private dirtyFrom = 0;

  /** `states` is the map of an overlay that is there already; it is kept. */
  constructor(sizeBytes: number, storage: DiskStorage, states: Uint8Array | null = null) {
    assert(sizeBytes % SECTOR_BYTES === 0, `a disk of ${sizeBytes} bytes`);
    this.sectorCount = sizeBytes / SECTOR_BYTES;
    this.blockCount = Math.ceil(sizeBytes / BLOCK_BYTES);
    this.storage = storage;
    this.states = states ?? new Uint8Array(this.blockCount);
    assert(this.states.length === this.blockCount, `a map of ${this.states.length} blocks`);
    this.dirty = new Uint8Array(this.blockCount);
  }

  read(sector: number, into: Uint8Array): void {
    const start = this.start(sector, into.length);
    for (const { state, offset, end } of this.runs(start, start + into.length)) {
      const part = into.subarray(offset - start, end - start);
      if (state === BLOCK_STATE.zero) part.fill(0);
      else if (state === BLOCK_STATE.base) this.storage.readBase(offset, part);
      else this.storage.readOverlay(offset, part);
    }
  }

  write(sector: number, bytes: Uint8Array): void {
    const start = this.start(sector, bytes.length);
    if (bytes.length === 0) return;
    const end = start + bytes.length;
    this.complete(start);
    this.complete(end);
    this.storage.writeOverlay(start, bytes);
    this.mark(start, end, BLOCK_STATE.written);
  }

  zero(sector: number, count: number): void {
    const start = this.start(sector, count * SECTOR_BYTES);
    const end = start + count * SECTOR_BYTES;
    const firstWhole = Math.ceil(start / BLOCK_BYTES) * BLOCK_BYTES;
    const lastWhole = Math.floor(end / BLOCK_BYTES) * BLOCK_BYTES;
    if (firstWhole >= lastWhole) {
      this.write(sector, new Uint8Array(end - start));
      return;
    }
    this.write(sector, new Uint8Array(firstWhole - start));
    this.write(lastWhole / SECTOR_BYTES, new Uint8Array(end - lastWhole));
    this.mark(firstWhole, lastWhole, BLOCK_STATE.zero);
  }

  flush(): void {
    this.storage.flush();
  }

  /** False for a block that is as the base image has it. */
  isWritten(block: number): boolean {
    return this.states[block] !== BLOCK_STATE.base;
  }

  /** A copy of one block; beyond the disk's end it is zero. */
  readBlock(block: number): Uint8Array {
    const bytes = new Uint8Array(BLOCK_BYTES);
    const sector = block * BLOCK_SECTORS;
    const sectors = Math.min(BLOCK_SECTORS, this.sectorCount - sector);
    this.read(sector, bytes.subarray(0, sectors * SECTOR_BYTES));
    return bytes;
  }

  /** Sets one block, as another replica had it. */
  writeBlock(block: number, bytes: Uint8Array): void {
    const sector = block * BLOCK_SECTORS;
    const sectors = Math.min(BLOCK_SECTORS, this.sectorCount - sector);
    if (bytes.every((byte) => byte === 0)) this.zero(sector, sectors);
    else this.write(sector, bytes.subarray(0, sectors * SECTOR_BYTES));
  }

  get hasDirtyBlocks(): boolean {
    return this.dirtyCount > 0;
  }

  /** Up to `limit` blocks changed since they were last taken, ascending. */
  takeDirtyBlocks(limit: number): number[] {
    const taken: number[] = [];
    while (this.dirtyCount > 0 && taken.length < limit) {
      const block = this.dirty.indexOf(1, this.dirtyFrom);
      assert(block >= 0, `${this.dirtyCount} dirty blocks that are not there`);
      this.dirty[block] = 0;
      this.dirtyCount -= 1;
      this.dirtyFrom = block + 1;
      taken.push(block);
    }
    if (this.dirtyCount === 0) this.dirtyFrom = this.blockCount;
    return taken;
  }

  /** The content of the base image again; nothing is dirty. */
  reset(): void {
    this.states.fill(BLOCK_STATE.base);
    this.storage.writeMap(0, this.states);
    this.dirty.fill(0);
    this.dirtyCount = 0;
    this.dirtyFrom = this.blockCount;
  }

  private start(sector: number, bytes: number): number {
    const isInside =
      sector >= 0 && sector * SECTOR_BYTES + bytes <= this.sectorCount * SECTOR_BYTES;
    assert(isInside && bytes % SECTOR_BYTES === 0, `${bytes} bytes at sector ${sector} of a disk`);
    return sector * SECTOR_BYTES;
  }

  private *runs(start: number, end: number): Generator<Run> {
    let offset = start;
    while (offset < end) {
      const state = this.states[Math.floor(offset / BLOCK_BYTES)] ?? BLOCK_STATE.base;
      let next = (Math.floor(offset / BLOCK_BYTES) + 1) * BLOCK_BYTES;
      while (next < end && this.states[next / BLOCK_BYTES] === state) next += BLOCK_BYTES;
      yield { state, offset, end: Math.min(next, end) };
      offset = next;
    }
  }

  /** A write begins or ends within a block: the overlay must have the rest of it. */
  private complete(edge: number): void {
    const block = Math.floor(edge / BLOCK_BYTES);
    if (edge % BLOCK_BYTES === 0 || this.states[block] === BLOCK_STATE.written) return;
    if (edge === this.sectorCount * SECTOR_BYTES) return;
    this.storage.writeOverlay(block * BLOCK_BYTES, this.readBlock(block));
    this.mark(block * BLOCK_BYTES, edge, BLOCK_STATE.written);
  }

  /** Sets the state of every block that the bytes touch; they are dirty. */
  private mark(start: number, end: number, state: number): void {
    const first = Math.floor(start / BLOCK_BYTES);
    const last = Math.ceil(end / BLOCK_BYTES);
    let changed = false;
    for (let block = first; block < last; block++) {
      changed ||= this.states[block] !== state;
      this.states[block] = state;
      if (this.dirty[block] === 1) continue;
      this.dirty[block] = 1;
      this.dirtyCount += 1;
    }
    this.dirtyFrom = Math.min(this.dirtyFrom, first);
    if (changed) this.storage.writeMap(first, this.states.subarray(first, last));
  }
}
