/** A disk whose files are arrays, so that a test sees what is where and can spoil it. */

import { Disk, type DiskStorage } from '../../lib/device/disk.js';

export class MemoryStorage implements DiskStorage {
  readonly base: Uint8Array;
  readonly overlay: Uint8Array;
  readonly map: Uint8Array;
  flushes = 0;

  constructor(base: Uint8Array) {
    this.base = base;
    this.overlay = new Uint8Array(Math.ceil(base.length / 4096) * 4096).fill(0xee);
    this.map = new Uint8Array(this.overlay.length / 4096);
  }

  readBase(offset: number, into: Uint8Array): void {
    into.set(this.base.subarray(offset, offset + into.length));
  }

  readOverlay(offset: number, into: Uint8Array): void {
    into.set(this.overlay.subarray(offset, offset + into.length));
  }

  writeOverlay(offset: number, bytes: Uint8Array): void {
    this.overlay.set(bytes, offset);
  }

  writeMap(first: number, states: Uint8Array): void {
    this.map.set(states, first);
  }

  flush(): void {
    this.flushes += 1;
  }
}

/** A disk of so many sectors, each filled with its number. */
export function memoryDisk(sectors: number): { disk: Disk; storage: MemoryStorage } {
  const storage = new MemoryStorage(numbered(sectors));
  return { disk: new Disk(sectors * 512, storage), storage };
}

/** Content in which every sector can be told from its neighbours. */
export function numbered(sectors: number): Uint8Array {
  return Uint8Array.from({ length: sectors * 512 }, (_, at) => (Math.floor(at / 512) % 251) + 1);
}
