/**
 * Page ownership of harts that share one thread: whoever asks gets the page at once, and the others
 * lose what does not go together with it. Only the hart in turn runs, so nobody waits, and who has
 * a page is derived state.
 */

import type { Hart } from '../riscv/hart.js';
import type { OwnershipPort, PageMode } from '../riscv/page-rights.js';
import { PAGE_READABLE, PAGE_WRITABLE } from '../riscv/hart-memory.js';

export class TurnOwnership implements OwnershipPort {
  private readonly harts: readonly Hart[];

  /** `harts` may still be growing. */
  constructor(harts: readonly Hart[]) {
    this.harts = harts;
  }

  acquire(hart: number, page: number, mode: PageMode): void {
    for (const other of this.harts) {
      if (other.memory.hart === hart) continue;
      const flags = other.memory.flags(page);
      if (mode === 'write' && (flags & PAGE_READABLE) !== 0) other.losePage(page, 'nothing');
      else if ((flags & PAGE_WRITABLE) !== 0) other.losePage(page, 'read');
    }
  }
}
