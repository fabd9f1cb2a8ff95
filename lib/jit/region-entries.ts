/**
 * The places where the regions of one hart are entered: the table of entries that slots with
 * OP_COMPILED name by number, and the jump cache, by which one region is left for another.
 */

import {
  ENTRY,
  ENTRY_BYTES,
  JUMP,
  JUMP_BYTES,
  JUMP_CACHE_ENTRIES,
  MAILBOX,
  REGION_ENTRIES,
} from '../riscv/derived.js';
import { OP_COMPILED, OP_UNDECODED } from '../riscv/interpreter/slots.js';
import type { HartInternals } from '../riscv/region-port.js';

/** An entry's number, and the address of the slot that names it. */
export interface EntryPlace {
  readonly number: number;
  readonly slot: number;
}

export interface EntryContent {
  readonly pc: bigint;
  /** Number of the entry within its region, and of the region's function in the table. */
  readonly selector: number;
  readonly functionIndex: number;
  /** Steps that must be left. */
  readonly minimumBudget: number;
}

export class RegionEntries {
  private readonly hart: HartInternals;
  private free: number[] = [];
  private next = 0;

  constructor(hart: HartInternals) {
    this.hart = hart;
  }

  /** Entries in use, of REGION_ENTRIES. */
  get used(): number {
    return this.next - this.free.length;
  }

  /**
   * A number for the entry at a halfword (0 to 2047) of a page with slots; null if another region
   * is entered there, or the page has no slots.
   */
  claim(ramPage: number, halfword: number): EntryPlace | null {
    const { code, memory } = this.hart;
    const slot = code.slotAt(ramPage, halfword);
    if (slot < 0) return null;
    if (memory.view.getUint8(slot) === OP_UNDECODED) code.decode(slot);
    if (memory.view.getUint8(slot) === OP_COMPILED || this.used === REGION_ENTRIES) return null;
    return { number: this.free.pop() ?? this.next++, slot };
  }

  /** Lets the slot name the entry. */
  write({ number, slot }: EntryPlace, content: EntryContent): void {
    const { view } = this.hart.memory;
    const at = this.address(number);
    view.setInt32(at + ENTRY.originalLow, view.getInt32(slot, true), true);
    view.setInt32(at + ENTRY.originalImm, view.getInt32(slot + 4, true), true);
    view.setInt32(at + ENTRY.function, content.functionIndex, true);
    view.setInt32(at + ENTRY.selector, content.selector, true);
    view.setInt32(at + ENTRY.epoch, 0, true);
    view.setInt32(at + ENTRY.minimumBudget, content.minimumBudget, true);
    view.setBigUint64(at + ENTRY.pc, content.pc, true);
    view.setInt32(slot, OP_COMPILED, true);
    view.setInt32(slot + 4, number, true);
    this.cacheJump(content);
  }

  /** Virtual address for which an entry was compiled. */
  pcOf(number: number): bigint {
    return this.hart.memory.view.getBigUint64(this.address(number) + ENTRY.pc, true);
  }

  /** The entry may be used as long as the mapping is what it is now. */
  confirm(number: number): void {
    const { memory } = this.hart;
    const epoch = memory.view.getInt32(memory.mailbox + MAILBOX.epoch, true);
    memory.view.setInt32(this.address(number) + ENTRY.epoch, epoch, true);
  }

  /** Whoever comes to the entry next asks whether it may be used. */
  doubt({ number }: EntryPlace): void {
    const { view } = this.hart.memory;
    const at = this.address(number);
    view.setInt32(at + ENTRY.epoch, 0, true);
    this.forgetJump(this.pcOf(number), view.getInt32(at + ENTRY.function, true));
  }

  /** Gives the number back, and the slot what it held. */
  release({ number, slot }: EntryPlace): void {
    const { view } = this.hart.memory;
    const at = this.address(number);
    this.forgetJump(this.pcOf(number), view.getInt32(at + ENTRY.function, true));
    if (view.getUint8(slot) === OP_COMPILED && view.getInt32(slot + 4, true) === number) {
      view.setInt32(slot, view.getInt32(at + ENTRY.originalLow, true), true);
      view.setInt32(slot + 4, view.getInt32(at + ENTRY.originalImm, true), true);
    }
    this.free.push(number);
  }

  /** All numbers were given back. */
  clear(): void {
    const { memory, addresses } = this.hart;
    this.free = [];
    this.next = 0;
    new Uint8Array(memory.view.buffer, addresses.jumpCache, JUMP_CACHE_ENTRIES * JUMP_BYTES).fill(
      0,
    );
  }

  private address(entry: number): number {
    return this.hart.addresses.entries + entry * ENTRY_BYTES;
  }

  private jumpAddress(pc: bigint): number {
    const index = Number((pc >> 1n) & BigInt(JUMP_CACHE_ENTRIES - 1));
    return this.hart.addresses.jumpCache + index * JUMP_BYTES;
  }

  /** Lets the region find its own entry; others only once it was entered there. */
  private cacheJump({ pc, functionIndex, selector }: EntryContent): void {
    const at = this.jumpAddress(pc);
    const { view } = this.hart.memory;
    view.setBigUint64(at + JUMP.pc, pc, true);
    view.setInt32(at + JUMP.function, functionIndex, true);
    view.setInt32(at + JUMP.selector, selector, true);
    view.setInt32(at + JUMP.epoch, 0, true);
  }

  /** The number of a dropped region's function is given to another. */
  private forgetJump(pc: bigint, functionIndex: number): void {
    const at = this.jumpAddress(pc);
    const { view } = this.hart.memory;
    if (view.getInt32(at + JUMP.function, true) !== functionIndex) return;
    view.setBigUint64(at + JUMP.pc, 0n, true);
    view.setInt32(at + JUMP.function, 0, true);
    view.setInt32(at + JUMP.epoch, 0, true);
  }
}
