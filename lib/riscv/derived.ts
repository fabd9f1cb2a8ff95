/**
 * Derived state: what a hart remembers only to be fast. It is never hashed, saved or sent, and
 * dropping any of it at any moment changes no result.
 *
 * Data TLB: a context for M, and three (U, S, S with SUM) for each address space that is kept, of
 * `TLB_ENTRIES` direct-mapped entries, reads and writes apart. An entry is {tag i64, addend i32,
 * unused i32}: tag is the virtual page address, host address = addend + low 32 bits of the virtual
 * address. A write entry exists only while the page is dirty and holds neither decoded code nor
 * page tables, so that a hit may store at once.
 *
 * Fetch TLB: a context for M, and two (U, S) for each address space, of `FETCH_ENTRIES`:
 * {tag i64, slot address i32, unused}.
 *
 * Decoded code: a page of guest code has one 8-byte slot per halfword and one slot behind the
 * last: {op u8, rd u8, rs1 u8, rs2 | compressed << 7, imm i32}. Op 0 is "not decoded yet".
 */

import type { DerivedRegion } from '../memory/layout.js';

/** 8 MiB of pages: with 512 a server missed three times as often, and took 5 % longer. */
export const TLB_ENTRIES = 2048;
const TLB_ENTRY_BYTES = 16;
/** Offset of the write half from the read half of a context. */
export const TLB_WRITE_OFFSET = TLB_ENTRIES * TLB_ENTRY_BYTES;
export const TLB_CONTEXT_BYTES = 2 * TLB_WRITE_OFFSET;
/** Values of satp whose translations are kept at once. */
export const ADDRESS_SPACES = 8;
/** Data contexts of an address space. */
export const DATA_CONTEXTS = { user: 0, supervisor: 1, supervisorSum: 2 } as const;
export const SPACE_DATA_CONTEXTS = 3;
/** Fetch contexts of an address space: U and S. */
export const SPACE_FETCH_CONTEXTS = 2;

export const FETCH_ENTRIES = 1024;
export const FETCH_CONTEXT_BYTES = FETCH_ENTRIES * TLB_ENTRY_BYTES;

export const SLOT_BYTES = 8;
/** Slots of one page of code: 2048 halfwords. */
export const SLOT_SPAN = 2048 * SLOT_BYTES;
/** With the slot behind the last, which continues on the next page; a multiple of 64. */
export const CODE_PAGE_BYTES = SLOT_SPAN + 64;
/**
 * Decoded pages kept per hart: at most 64 MiB of slots for 16 MiB of guest code. A boot of Debian
 * into perl executes 7 MiB; when they run out, everything decoded and compiled is dropped.
 */
export const CODE_PAGES = 4096;
/** Slots for one instruction that crosses a page, decoded anew each time it is met. */
export const CROSS_SLOT_COUNT = 8;

/** Jump cache of compiled code: where a region is entered for a pc, direct-mapped by pc. */
export const JUMP_CACHE_ENTRIES = 4096;
export const JUMP_BYTES = 32;
/** Fields of its entries: byte offsets. */
export const JUMP = {
  pc: 0,
  /** Place of the region's function in the table, and its entry number. */
  function: 8,
  selector: 12,
  /** Value of the mailbox's epoch for which the entry was found good; 0 for none. */
  epoch: 16,
  /** Steps that must be left. */
  minimumBudget: 20,
} as const;
/** Times a jump target is met before it is worth compiling, counted by slot address. */
export const HEAT_COUNTERS = 65536;
/** Byte offset of the counter of a slot among the counters. */
export const heatCounter = (slot: number): number => (slot >>> 2) & ((HEAT_COUNTERS - 1) << 1);
/**
 * Places where compiled code can be entered; see `ENTRY`. A region of a kernel has some twelve, and
 * Debian with redis comes to 1,400 regions within minutes.
 */
export const REGION_ENTRIES = 65536;
export const ENTRY_BYTES = 32;
/** Fields of such a place: byte offsets. */
export const ENTRY = {
  /** The slot as it was before it was replaced by OP_COMPILED. */
  originalLow: 0,
  originalImm: 4,
  /** Place of the region's function in the table, and its entry number. */
  function: 8,
  selector: 12,
  /** Value of the mailbox's epoch for which the region's pages were found unchanged. */
  epoch: 16,
  /** Steps that must be left. */
  minimumBudget: 20,
  /** Virtual address for which it was compiled. */
  pc: 24,
} as const;

/** The mailbox between generated code and the hart: byte offsets. */
export const MAILBOX = {
  /** Address of the data TLB context in force. */
  dataContext: 0,
  /** Address of the fetch TLB context in force. */
  fetchContext: 4,
  /** 1 if cbo.zero is allowed at the present privilege. */
  cboAllowed: 8,
  /** Steps left of the budget; valid while generated code is not running. */
  budgetLeft: 12,
  /** Value of a slow load or store, 8 bytes. */
  value: 16,
  /** Changes whenever code addresses may mean something else: mapping or privilege. */
  epoch: 28,
  /** 1 if what was reported as a trap is none: the instruction is to be executed again. */
  restart: 32,
  /** 1 if something was dropped for an atomic's store, so that running code must leave. */
  special: 24,
} as const;
const MAILBOX_BYTES = 64;

export function hartDerivedRegions(hart: number, ramPages: number): readonly DerivedRegion[] {
  return [
    { name: `page-flags${hart}`, bytes: ramPages },
    { name: `mailbox${hart}`, bytes: MAILBOX_BYTES },
    { name: `tlb${hart}`, bytes: (1 + ADDRESS_SPACES * SPACE_DATA_CONTEXTS) * TLB_CONTEXT_BYTES },
    {
      name: `fetch${hart}`,
      bytes: (1 + ADDRESS_SPACES * SPACE_FETCH_CONTEXTS) * FETCH_CONTEXT_BYTES,
    },
    { name: `cross${hart}`, bytes: CROSS_SLOT_COUNT * SLOT_BYTES },
    { name: `jump-cache${hart}`, bytes: JUMP_CACHE_ENTRIES * JUMP_BYTES },
    { name: `heat${hart}`, bytes: HEAT_COUNTERS * 2 },
    { name: `entries${hart}`, bytes: REGION_ENTRIES * ENTRY_BYTES },
    { name: `code${hart}`, bytes: CODE_PAGES * CODE_PAGE_BYTES },
  ];
}
