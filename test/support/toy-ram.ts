/** The pages of the toy machine: RAM alone, and which of it was written. */

import { hash64 } from '../../lib/base/hash.js';
import { RAM_BASE } from '../../lib/machine/config.js';
import { PAGE_BYTES, PAGE_COUNT } from './toy-config.js';

export class ToyRam {
  readonly parallel = null;
  readonly ramPageCount = PAGE_COUNT;
  readonly pageCount = PAGE_COUNT;
  /** Guest RAM; a test that writes here calls `markDirty` where the guest would have. */
  readonly ram = new Uint8Array(PAGE_COUNT * PAGE_BYTES);
  protected readonly dirty = new Set<number>();

  markDirty(page: number): void {
    this.dirty.add(page);
  }

  takeDirtyPages(): readonly (readonly [page: number, hash: bigint])[] {
    const pages = [...this.dirty].sort((a, b) => a - b);
    this.dirty.clear();
    return pages.map((page) => [page, hash64(this.page(page))]);
  }

  hasMoreDirtyPages(): boolean {
    return false;
  }

  pageName(page: number): string {
    return `page ${page} (0x${(RAM_BASE + page * PAGE_BYTES).toString(16)})`;
  }

  savePage(page: number): Uint8Array | null {
    const bytes = this.page(page);
    return bytes.every((byte) => byte === 0) ? null : bytes.slice();
  }

  protected page(page: number): Uint8Array {
    return this.ram.subarray(page * PAGE_BYTES, (page + 1) * PAGE_BYTES);
  }
}
