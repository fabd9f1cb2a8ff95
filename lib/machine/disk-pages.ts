/**
 * The blocks of the machine's disks as pages behind those of RAM: numbered on from the last RAM
 * page, disk after disk, so that checks, snapshots and transfers take them without knowing disks.
 *
 *   0 .. ramPageCount - 1 | blocks of disk 0 | blocks of disk 1 | ...
 *
 * A block that is as the base image has it is like a RAM page of zeros: it is left out.
 */

import { assert } from '../base/assert.js';
import { hash64 } from '../base/hash.js';
import { BLOCK_BYTES, type Disk } from '../device/disk.js';

/**
 * Blocks in one check, so that a guest that writes without pause can't make a check larger than
 * the log allows; the others are in the next.
 */
const MAX_BLOCKS_A_CHECK = 16_384;

interface Place {
  readonly index: number;
  readonly disk: Disk;
  readonly block: number;
}

export class DiskPages {
  /** Pages of all disks. */
  readonly count: number;
  private readonly disks: readonly Disk[];
  private readonly firstPage: number;

  constructor(disks: readonly Disk[], firstPage: number) {
    this.disks = disks;
    this.firstPage = firstPage;
    this.count = disks.reduce((sum, { blockCount }) => sum + blockCount, 0);
  }

  get areDirty(): boolean {
    return this.disks.some((disk) => disk.hasDirtyBlocks);
  }

  /** Blocks written since they were last taken, at most as many as a check has, with hashes. */
  takeDirty(): (readonly [page: number, hash: bigint])[] {
    const taken: (readonly [page: number, hash: bigint])[] = [];
    let first = this.firstPage;
    for (const disk of this.disks) {
      for (const block of disk.takeDirtyBlocks(MAX_BLOCKS_A_CHECK - taken.length)) {
        taken.push([first + block, hash64(disk.readBlock(block))]);
      }
      first += disk.blockCount;
    }
    return taken;
  }

  /** A copy of the block, or null if it is as in the base image. */
  save(page: number): Uint8Array | null {
    const { disk, block } = this.place(page);
    return disk.isWritten(block) ? disk.readBlock(block) : null;
  }

  /** Every disk as its base image has it. */
  reset(): void {
    for (const disk of this.disks) disk.reset();
  }

  restore(page: number, bytes: Uint8Array): void {
    const { disk, block } = this.place(page);
    disk.writeBlock(block, bytes);
  }

  /** For people: "block 3 of disk 0 (byte 0x3000)". */
  name(page: number): string {
    const { index, block } = this.place(page);
    return `block ${block} of disk ${index} (byte 0x${(block * BLOCK_BYTES).toString(16)})`;
  }

  private place(page: number): Place {
    let first = this.firstPage;
    for (const [index, disk] of this.disks.entries()) {
      if (page >= first && page < first + disk.blockCount) {
        return { index, disk, block: page - first };
      }
      first += disk.blockCount;
    }
    assert(false, `page ${page} is on none of ${this.disks.length} disks`);
  }
}
