/**
 * Decoded code of one hart: which guest pages have slots, and what a store to them drops.
 *
 * Fetch is coherent: a page with decoded code is flagged, so that stores to it take the slow way
 * and clear the slots they touch before the store's instruction ends.
 */

import { assert } from '../base/assert.js';
import { PAGE_BYTES } from '../memory/layout.js';
import { decode16, decode32, isCompressed } from './decode.js';
import { CODE_PAGES, CODE_PAGE_BYTES, CROSS_SLOT_COUNT, SLOT_BYTES, SLOT_SPAN } from './derived.js';
import { PAGE_HAS_CODE, type HartMemory } from './hart-memory.js';
import { OP_CROSS, OP_PAGE_END, OP_UNDECODED, packSlot } from './interpreter/slots.js';

/** Who else derives something from code pages. */
export interface CodeWatcher {
  /** True if code that may be running was dropped. */
  readonly changed: (ramPage: number) => boolean;
  readonly cleared: () => void;
}

export class CodeCache {
  onChange: CodeWatcher | null = null;
  private readonly memory: HartMemory;
  private readonly base: number;
  readonly crossSlots: number;
  /** Slot page by RAM page, -1 for none; RAM page by slot page. */
  private readonly slotPageOf: Int32Array;
  private readonly ramPageOf = new Int32Array(CODE_PAGES).fill(-1);
  private used = 0;

  constructor(memory: HartMemory) {
    this.memory = memory;
    this.base = memory.layout.offsetOf(`code${memory.hart}`);
    this.crossSlots = memory.layout.offsetOf(`cross${memory.hart}`);
    this.slotPageOf = new Int32Array(memory.pageFlags.length).fill(-1);
    this.setCrossEnd();
  }

  /** True if one more page fits; otherwise the owner clears everything first. */
  hasRoom(ramPage: number): boolean {
    return (this.slotPageOf[ramPage] ?? -1) >= 0 || this.used < CODE_PAGES;
  }

  /** Address of the slots of a RAM page, making them if need be. */
  slotsOf(ramPage: number): { readonly address: number; readonly fresh: boolean } {
    const known = this.slotPageOf[ramPage] ?? -1;
    if (known >= 0) return { address: this.base + known * CODE_PAGE_BYTES, fresh: false };
    assert(this.used < CODE_PAGES, 'code cache is full');
    const slotPage = this.used++;
    this.slotPageOf[ramPage] = slotPage;
    this.ramPageOf[slotPage] = ramPage;
    this.memory.addFlags(ramPage, PAGE_HAS_CODE);
    const address = this.base + slotPage * CODE_PAGE_BYTES;
    new Uint8Array(this.memory.view.buffer, address, SLOT_SPAN).fill(OP_UNDECODED);
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
   * compiled code was dropped, so that whoever stores must leave it.
   */
  invalidate(ramPage: number, host: number, bytes: number): boolean {
    const slotPage = this.slotPageOf[ramPage] ?? -1;
    if (slotPage < 0) return false;
    const dropped = this.onChange?.changed(ramPage) ?? false;
    const offset = host - this.memory.hostOfPage(ramPage);
    // An instruction that starts one halfword earlier may reach into the stored bytes.
    const first = Math.max(0, (offset >> 1) - 1);
    const last = Math.min(PAGE_BYTES / 2 - 1, (offset + bytes - 1) >> 1);
    for (let halfword = first; halfword <= last; halfword++) {
      const at = this.base + slotPage * CODE_PAGE_BYTES + halfword * SLOT_BYTES;
      this.memory.view.setUint32(at, OP_UNDECODED, true);
    }
    return dropped;
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
