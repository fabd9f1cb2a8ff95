/**
 * Decoded code of one hart: which guest pages have slots, and what a store to them drops.
 *
 * Fetch is coherent: a page with decoded code is flagged, so that stores to it take the slow way
 * and clear the slots they touch before the store's instruction ends. A page that is stored to and
 * not fetched from gives its slots back.
 */

import { assert } from '../base/assert.js';
import { clearBytes } from '../base/bytes.js';
import { PAGE_BYTES } from '../memory/layout.js';
import { decode16, decode32, isCompressed } from './decode.js';
import { CODE_PAGES, CODE_PAGE_BYTES, CROSS_SLOT_COUNT, SLOT_BYTES, SLOT_SPAN } from './derived.js';
import { PAGE_HAS_CODE, type HartMemory } from './hart-memory.js';
import { OP_CROSS, OP_PAGE_END, OP_UNDECODED, packSlot } from './interpreter/slots.js';

/**
 * What a store to a page did to what is derived from it: dropped some, which may be running; missed
 * it; or there is none.
 */
export type StoreOutcome = 'dropped' | 'kept' | 'none';

/** Who else derives something from code pages. */
export interface CodeWatcher {
  /** A store to halfwords `first` to `last` of a page. */
  readonly stored: (ramPage: number, first: number, last: number) => StoreOutcome;
  /** The slots at this address serve another page from now on. */
  readonly retired: (slots: number) => void;
  readonly cleared: () => void;
}

/** Stores to a page since code was last fetched from it, after which it counts as data. */
const RETIRE_STORES = 32;

export class CodeCache {
  onChange: CodeWatcher | null = null;
  private readonly memory: HartMemory;
  private readonly base: number;
  readonly crossSlots: number;
  /** Slot page by RAM page, -1 for none; RAM page by slot page. */
  private readonly slotPageOf: Int32Array;
  private readonly ramPageOf = new Int32Array(CODE_PAGES).fill(-1);
  private used = 0;
  /** Slot pages below were in use before; those above are zero, as memory is at first. */
  private touched = 0;
  /** Slot pages that were given back, and by slot page the stores since a fetch. */
  private free: number[] = [];
  private readonly stores = new Uint8Array(CODE_PAGES);

  constructor(memory: HartMemory) {
    this.memory = memory;
    this.base = memory.layout.offsetOf(`code${memory.hart}`);
    this.crossSlots = memory.layout.offsetOf(`cross${memory.hart}`);
    this.slotPageOf = new Int32Array(memory.pageFlags.length).fill(-1);
    this.setCrossEnd();
  }

  /** True if one more page fits; otherwise the owner clears everything first. */
  hasRoom(ramPage: number): boolean {
    const isKnown = (this.slotPageOf[ramPage] ?? -1) >= 0;
    return isKnown || this.free.length > 0 || this.used < CODE_PAGES;
  }

  /** Address of the slots of a RAM page, making them if need be. */
  slotsOf(ramPage: number): { readonly address: number; readonly fresh: boolean } {
    const known = this.slotPageOf[ramPage] ?? -1;
    if (known >= 0) {
      this.stores[known] = 0;
      return { address: this.base + known * CODE_PAGE_BYTES, fresh: false };
    }
    assert(this.free.length > 0 || this.used < CODE_PAGES, 'code cache is full');
    const slotPage = this.free.pop() ?? this.used++;
    this.stores[slotPage] = 0;
    this.slotPageOf[ramPage] = slotPage;
    this.ramPageOf[slotPage] = ramPage;
    this.memory.addFlags(ramPage, PAGE_HAS_CODE);
    const address = this.base + slotPage * CODE_PAGE_BYTES;
    assert(OP_UNDECODED === 0, 'an undecoded slot is zero');
    if (slotPage < this.touched) {
      clearBytes(new Uint8Array(this.memory.view.buffer, address, SLOT_SPAN));
    } else {
      this.touched = slotPage + 1;
    }
    this.memory.view.setUint32(address + SLOT_SPAN, OP_PAGE_END, true);
    return { address, fresh: true };
  }

  /** Address of the slot of a halfword (0 to 2047) of a page, or -1 without slots. */
  slotAt(ramPage: number, halfword: number): number {
    const slotPage = this.slotPageOf[ramPage] ?? -1;
    return slotPage < 0 ? -1 : this.base + slotPage * CODE_PAGE_BYTES + halfword * SLOT_BYTES;
  }

  /** Decodes the slot at `address` from the guest's bytes. */
  decode(address: number): void {
    const slotPage = Math.floor((address - this.base) / CODE_PAGE_BYTES);
    const within = address - this.base - slotPage * CODE_PAGE_BYTES;
    const halfword = within / SLOT_BYTES;
    const host = this.memory.hostOfPage(this.ramPageOf[slotPage] ?? 0) + halfword * 2;
    const half = this.memory.view.getUint16(host, true);
    if (isCompressed(half)) {
      this.write(address, packSlot(decode16(half), half, 2));
    } else if (halfword === PAGE_BYTES / 2 - 1) {
      this.write(address, { low: OP_CROSS, imm: 0 });
    } else {
      const word = (half | (this.memory.view.getUint16(host + 2, true) << 16)) >>> 0;
      this.write(address, packSlot(decode32(word), word, 4));
    }
  }

  /** Decodes an instruction whose halves lie on two pages. */
  decodeCross(word: number): void {
    this.write(this.crossSlots, packSlot(decode32(word), word, 4));
  }

  /**
   * Drops what was decoded from `bytes` at `host`, a store to the RAM page `ramPage`. True if
   * code that may be running was dropped, so that whoever stores must leave it.
   */
  invalidate(ramPage: number, host: number, bytes: number): boolean {
    const slotPage = this.slotPageOf[ramPage] ?? -1;
    if (slotPage < 0) return false;
    const offset = host - this.memory.hostOfPage(ramPage);
    // An instruction that starts one halfword earlier may reach into the stored bytes.
    const first = Math.max(0, (offset >> 1) - 1);
    const last = Math.min(PAGE_BYTES / 2 - 1, (offset + bytes - 1) >> 1);
    const outcome = this.onChange?.stored(ramPage, first, last) ?? 'none';
    for (let halfword = first; halfword <= last; halfword++) {
      const at = this.base + slotPage * CODE_PAGE_BYTES + halfword * SLOT_BYTES;
      this.memory.view.setUint32(at, OP_UNDECODED, true);
    }
    // Compiled code of this page is in use, and none of it was touched: the page is no data yet.
    if (outcome === 'kept') return false;
    const stores = (this.stores[slotPage] ?? 0) + 1;
    this.stores[slotPage] = stores;
    if (stores < RETIRE_STORES) return outcome === 'dropped';
    this.retire(ramPage, slotPage);
    return true;
  }

  /** Drops everything decoded from a page; its bytes may change without notice from now on. */
  forgetPage(ramPage: number): void {
    const slotPage = this.slotPageOf[ramPage] ?? -1;
    if (slotPage < 0) return;
    this.onChange?.stored(ramPage, 0, PAGE_BYTES / 2 - 1);
    this.retire(ramPage, slotPage);
  }

  /** A page that is data by now: stores to it need not ask any more. */
  private retire(ramPage: number, slotPage: number): void {
    this.slotPageOf[ramPage] = -1;
    this.ramPageOf[slotPage] = -1;
    this.memory.pageFlags[ramPage] = this.memory.flags(ramPage) & ~PAGE_HAS_CODE;
    this.free.push(slotPage);
    this.onChange?.retired(this.base + slotPage * CODE_PAGE_BYTES);
  }

  clear(): void {
    this.onChange?.cleared();
    for (let slotPage = 0; slotPage < this.used; slotPage++) {
      const ramPage = this.ramPageOf[slotPage] ?? -1;
      if (ramPage < 0) continue;
      this.slotPageOf[ramPage] = -1;
      this.memory.pageFlags[ramPage] = this.memory.flags(ramPage) & ~PAGE_HAS_CODE;
    }
    this.ramPageOf.fill(-1);
    this.used = 0;
    this.free = [];
    this.setCrossEnd();
  }

  private setCrossEnd(): void {
    for (let index = 1; index < CROSS_SLOT_COUNT; index++) {
      this.write(this.crossSlots + index * SLOT_BYTES, { low: OP_PAGE_END, imm: 0 });
    }
  }

  private write(address: number, slot: { readonly low: number; readonly imm: number }): void {
    this.memory.view.setInt32(address, slot.low, true);
    this.memory.view.setInt32(address + 4, slot.imm, true);
  }
}
