/**
 * The pages of a machine: RAM, and behind it the blocks of the disks. What a snapshot copies and a
 * check hashes.
 */

import { assert } from '../base/assert.js';
import { clearBytes } from '../base/bytes.js';
import { LockstepError } from '../base/error.js';
import { PAGE_BYTES, type MemoryLayout } from '../memory/layout.js';
import { RAM_BASE } from './config.js';
import type { DiskPages } from './disk-pages.js';
import type { HartSchedule } from './hart-schedule.js';

export class MachinePages {
  readonly ramCount: number;
  private readonly layout: MemoryLayout;
  private readonly buffer: ArrayBufferLike;
  private readonly disks: DiskPages;
  private readonly schedule: HartSchedule;

  constructor(parts: {
    readonly layout: MemoryLayout;
    readonly buffer: ArrayBufferLike;
    readonly disks: DiskPages;
    readonly schedule: HartSchedule;
  }) {
    this.layout = parts.layout;
    this.buffer = parts.buffer;
    this.disks = parts.disks;
    this.schedule = parts.schedule;
    this.ramCount = parts.layout.ramBytes / PAGE_BYTES;
  }

  get count(): number {
    return this.ramCount + this.disks.count;
  }

  /** All of RAM. */
  ram(): Uint8Array {
    return new Uint8Array(this.buffer, this.layout.ramOffset, this.layout.ramBytes);
  }

  takeDirty(): readonly (readonly [page: number, hash: bigint])[] {
    const { current } = this.schedule;
    const ofRam = this.takeDirtyRam().map((page) => [page, current.hashPage(page)] as const);
    return this.disks.areDirty ? [...ofRam, ...this.disks.takeDirty()] : ofRam;
  }

  hasMoreDirty(): boolean {
    return this.disks.areDirty;
  }

  name(page: number): string {
    if (page >= this.ramCount) return this.disks.name(page);
    return `page ${page} (0x${(RAM_BASE + page * PAGE_BYTES).toString(16)})`;
  }

  save(page: number): Uint8Array | null {
    if (page >= this.ramCount) return this.disks.save(page);
    const bytes = this.ramPage(page);
    const words = new Int32Array(this.buffer, bytes.byteOffset, PAGE_BYTES / 4);
    for (let index = 0; index < words.length; index++) {
      if (words[index] !== 0) return bytes.slice();
    }
    return null;
  }

  /** Every other page becomes as it was at power-on. Bad input: BAD_SNAPSHOT. */
  restore(pages: Iterable<readonly [page: number, bytes: Uint8Array]>): void {
    clearBytes(this.ram());
    this.disks.reset();
    for (const [page, bytes] of pages) {
      const isPage = Number.isInteger(page) && page >= 0 && page < this.count;
      if (!isPage || bytes.length !== PAGE_BYTES) {
        throw new LockstepError('BAD_SNAPSHOT', `page ${page} of ${bytes.length} bytes`);
      }
      if (page < this.ramCount) this.ramPage(page).set(bytes);
      else this.disks.restore(page, bytes);
    }
  }

  private ramPage(page: number): Uint8Array {
    assert(page >= 0 && page < this.ramCount, `RAM page ${page}`);
    return new Uint8Array(this.buffer, this.layout.ramOffset + page * PAGE_BYTES, PAGE_BYTES);
  }

  /** RAM pages written by any hart since the last call, ascending. */
  private takeDirtyRam(): readonly number[] {
    const lists = this.schedule.harts.map((hart) => hart.takeDirtyPages());
    const [only] = lists;
    if (lists.length === 1 && only !== undefined) return only;
    return [...new Set(lists.flat())].sort((a, b) => a - b);
  }
}
