/**
 * One hart's view of the machine's memory: its register words, the mailbox, RAM by byte offset.
 *
 * Addresses inside this layer come in three kinds: virtual (two 32-bit halves), physical (a
 * number below 2^53) and host (a byte offset in the machine's memory). Only this class turns a
 * physical address into a host address, and it checks the bounds.
 */

import { WordBlock } from '../memory/word-block.js';
import { PAGE_BYTES, type MemoryLayout } from '../memory/layout.js';
import { hartBlockSpec } from './hart-state.js';

export const RAM_BASE = 0x8000_0000;

/** What is known of a RAM page; derived, so that it may be dropped at any time with its causes. */
export const PAGE_HAS_CODE = 1;
export const PAGE_HAS_TABLES = 2;
export const PAGE_DIRTY = 4;
/** Stores are to be noticed by the machine (HTIF). */
export const PAGE_WATCHED = 8;
/** With several harts: this one may read the page, or read and write it (`page-rights.ts`). */
export const PAGE_READABLE = 16;
export const PAGE_WRITABLE = 32;
/** Any of these makes stores take the slow way. */
export const PAGE_SPECIAL = PAGE_HAS_CODE | PAGE_HAS_TABLES | PAGE_WATCHED;

export class HartMemory {
  readonly hart: number;
  readonly layout: MemoryLayout;
  readonly block: WordBlock;
  readonly view: DataView;
  readonly mailbox: number;
  /** One byte of PAGE_ flags for each RAM page. */
  readonly pageFlags: Uint8Array;
  readonly ramBytes: number;
  private readonly ramOffset: number;

  constructor(hart: number, layout: MemoryLayout, buffer: ArrayBufferLike) {
    this.hart = hart;
    this.layout = layout;
    this.block = new WordBlock(hartBlockSpec(hart), buffer, layout.offsetOf(`hart${hart}`));
    this.view = new DataView(buffer);
    this.mailbox = layout.offsetOf(`mailbox${hart}`);
    this.pageFlags = new Uint8Array(
      buffer,
      layout.offsetOf(`page-flags${hart}`),
      layout.ramBytes / PAGE_BYTES,
    );
    this.ramBytes = layout.ramBytes;
    this.ramOffset = layout.ramOffset;
  }

  /** True if the bytes lie wholly in RAM. `physical` is a non-negative integer. */
  inRam(physical: number, bytes: number): boolean {
    return physical >= RAM_BASE && physical + bytes <= RAM_BASE + this.ramBytes;
  }

  /** Host address of a physical address that `inRam` has accepted. */
  hostOf(physical: number): number {
    return physical - RAM_BASE + this.ramOffset;
  }

  /** Index of the RAM page that holds a host address. */
  pageOfHost(host: number): number {
    return (host - this.ramOffset) >>> 12;
  }

  hostOfPage(page: number): number {
    return page * PAGE_BYTES + this.ramOffset;
  }

  flags(page: number): number {
    return this.pageFlags[page] ?? 0;
  }

  addFlags(page: number, flags: number): void {
    this.pageFlags[page] = this.flags(page) | flags;
  }

  removeFlags(page: number, flags: number): void {
    this.pageFlags[page] = this.flags(page) & ~flags;
  }

  /** Pages flagged as dirty, ascending; they are clean then. */
  takeDirtyPages(): number[] {
    const { pageFlags } = this;
    const pages: number[] = [];
    for (let page = 0; page < pageFlags.length; page++) {
      const value = pageFlags[page] ?? 0;
      if ((value & PAGE_DIRTY) === 0) continue;
      pageFlags[page] = value & ~PAGE_DIRTY;
      pages.push(page);
    }
    return pages;
  }

  markAllDirty(): void {
    for (let page = 0; page < this.pageFlags.length; page++) this.addFlags(page, PAGE_DIRTY);
  }
}
