/**
 * Which pages of RAM a hart may read and write just now, where there are several harts.
 *
 * A page belongs to any number of readers or to one writer (page ownership). Whoever lacks the
 * right it needs asks the port, which takes it from the others; they forget everything that they
 * derived from the page. Rights are derived state: a hart without any asks again.
 *
 * Invariants: a hart reads, decodes or walks bytes of a page only with the right to read it, and
 * stores only with the right to write it. A TLB entry exists only with its right.
 */

import { PAGE_READABLE, PAGE_WRITABLE, type HartMemory } from './hart-memory.js';

export type PageMode = 'read' | 'write';

/**
 * Thrown by `OwnershipPort.acquire` as far as the edge of generated code, which then leaves the
 * instruction as it does for a trap: it has had no effect yet and is executed again.
 */
export const RESTART = new Error('the hart stands, and begins its instruction again');
/** The same, but the hart has what it needs and goes on at once: its timers may have changed. */
export const AGAIN = new Error('the hart begins its instruction again');

export interface OwnershipPort {
  /**
   * Takes from other harts what is incompatible with `hart` having the page in `mode`. Throws
   * `RESTART` if the hart has to stand for others first, `AGAIN` if time has moved on meanwhile.
   */
  acquire(hart: number, page: number, mode: PageMode): void;
}

export class PageRights {
  private readonly memory: HartMemory;
  /** Null where one hart owns everything. */
  private readonly port: OwnershipPort | null;
  private asks = true;

  constructor(memory: HartMemory, port: OwnershipPort | null) {
    this.memory = memory;
    this.port = port;
  }

  /** Whether other harts may take pages away. */
  get isShared(): boolean {
    return this.port !== null;
  }

  /** Before bytes of the RAM page are read. False only within `peek`: they must not be. */
  read(page: number): boolean {
    if (this.port === null || (this.memory.flags(page) & PAGE_READABLE) !== 0) return true;
    if (!this.asks) return false;
    this.port.acquire(this.memory.hart, page, 'read');
    this.memory.addFlags(page, PAGE_READABLE);
    return true;
  }

  /** Before bytes of the RAM page are written. */
  write(page: number): void {
    if (this.port === null || (this.memory.flags(page) & PAGE_WRITABLE) !== 0) return;
    this.port.acquire(this.memory.hart, page, 'write');
    this.memory.addFlags(page, PAGE_READABLE | PAGE_WRITABLE);
  }

  /**
   * Looks at memory without asking for pages: what is looked at when a policy says so (a compiler,
   * for one) takes no page from anybody, or the policy would be part of history.
   */
  peek<T>(look: () => T): T {
    this.asks = false;
    try {
      return look();
    } finally {
      this.asks = true;
    }
  }
}
