/**
 * Address translation (privileged specification, sections 12.3 to 12.5): Sv39 and Sv48 with
 * Svade, PMP, and the TLBs filled from it.
 *
 * The TLB is coherent: a guest can't see it. A page that was read as a page table is flagged and
 * gets no write entry, so every store to it comes here, and a store that changes a valid entry
 * drops everything derived. Entries that are not valid are never remembered.
 */

import {
  DATA_CONTEXTS,
  FETCH_CONTEXT_BYTES,
  FETCH_ENTRIES,
  MAILBOX,
  TLB_CONTEXT_BYTES,
  TLB_EMPTY,
  TLB_ENTRIES,
  TLB_WRITE_OFFSET,
} from './derived.js';
import { HART_WORD } from './hart-state.js';
import { PAGE_DIRTY, PAGE_HAS_TABLES, PAGE_SPECIAL, type HartMemory } from './hart-memory.js';
import type { Access, Pmp } from './pmp.js';

/** Exception codes (privileged specification, table 14). */
const ACCESS_FAULT = { fetch: 1, read: 5, write: 7 } as const;
const PAGE_FAULT = { fetch: 12, read: 13, write: 15 } as const;

/** What a walk says: the physical page, or the exception. */
export type Translation =
  { readonly ok: true; readonly page: number } | { readonly ok: false; readonly cause: number };

const MSTATUS_SUM = 1 << 18;
const MSTATUS_MXR = 1 << 19;
const MSTATUS_MPRV = 1 << 17;

const V = 1;
const R = 2;
const W = 4;
const X = 8;
const U = 16;
const A = 64;
const D = 128;

export class Mmu {
  private readonly memory: HartMemory;
  private readonly pmp: Pmp;
  private readonly halves: Uint32Array;
  private readonly tlb: number;
  private readonly fetch: number;
  private readonly tlbWords: BigInt64Array;
  private readonly fetchWords: BigInt64Array;
  /** Raised whenever code addresses may mean something else. */
  private epoch = 1;
  /** Pages flagged as page tables since the last flush. */
  private tablePages: number[] = [];

  constructor(memory: HartMemory, pmp: Pmp) {
    this.memory = memory;
    this.pmp = pmp;
    this.halves = memory.block.halves;
    this.tlb = memory.layout.offsetOf(`tlb${memory.hart}`);
    this.fetch = memory.layout.offsetOf(`fetch${memory.hart}`);
    const buffer = memory.view.buffer;
    this.tlbWords = new BigInt64Array(buffer, this.tlb, (4 * TLB_CONTEXT_BYTES) / 8);
    this.fetchWords = new BigInt64Array(buffer, this.fetch, (3 * FETCH_CONTEXT_BYTES) / 8);
    this.flush();
  }

  /** Chooses the TLB contexts of the present privilege and mstatus; after every change of them. */
  updateContext(): void {
    const { view, mailbox } = this.memory;
    const privilege = this.low('privilege');
    const fetchIndex = privilege === 3 ? 2 : privilege;
    view.setInt32(mailbox + MAILBOX.dataContext, this.dataContext(), true);
    view.setInt32(
      mailbox + MAILBOX.fetchContext,
      this.fetch + fetchIndex * FETCH_CONTEXT_BYTES,
      true,
    );
    view.setInt32(mailbox + MAILBOX.cboAllowed, this.cboZeroAllowed() ? 1 : 0, true);
    this.publishEpoch();
  }

  /** Epoch and privilege together say under which mapping code was found valid. */
  private publishEpoch(): void {
    const { view, mailbox } = this.memory;
    view.setInt32(mailbox + MAILBOX.epoch, (this.epoch << 2) | this.low('privilege'), true);
  }

  private nextEpoch(): void {
    this.epoch = (this.epoch + 1) & 0x1fffffff;
    this.publishEpoch();
  }

  /** menvcfg.CBZE for S and U, senvcfg.CBZE for U too (privileged specification, 3.1.18). */
  cboZeroAllowed(): boolean {
    const privilege = this.low('privilege');
    if (privilege === 3) return true;
    if ((this.low('menvcfg') & 0x80) === 0) return false;
    return privilege === 1 || (this.low('senvcfg') & 0x80) !== 0;
  }

  /** Drops every translation, and with it the reason to watch page tables. */
  flush(): void {
    this.tlbWords.fill(TLB_EMPTY);
    this.fetchWords.fill(TLB_EMPTY);
    for (const page of this.tablePages) {
      this.memory.pageFlags[page] = this.memory.flags(page) & ~PAGE_HAS_TABLES;
    }
    this.tablePages = [];
    this.nextEpoch();
  }

  /** Drops the right to store without asking, in all contexts. */
  flushWrites(): void {
    for (let context = 0; context < 4; context++) {
      const start = (context * TLB_CONTEXT_BYTES + TLB_WRITE_OFFSET) / 8;
      this.tlbWords.fill(TLB_EMPTY, start, start + TLB_WRITE_OFFSET / 8);
    }
  }

  flushFetch(): void {
    this.fetchWords.fill(TLB_EMPTY);
    this.nextEpoch();
  }

  /** Translates one access; fills nothing. */
  translate(low: number, high: number, access: Access): Translation {
    const privilege = access === 'fetch' ? this.low('privilege') : this.dataPrivilege();
    const mode = this.halves[HART_WORD.satp * 2 + 1] ?? 0;
    const levels = privilege === 3 ? 0 : mode >>> 28 === 8 ? 3 : mode >>> 28 === 9 ? 4 : 0;
    const walked =
      levels === 0
        ? this.identity(low, high, access)
        : this.walk([low, high], levels, { access, privilege });
    if (walked.ok && !this.pmp.allows(walked.page, access, privilege)) {
      return { ok: false, cause: ACCESS_FAULT[access] };
    }
    return walked;
  }

  /** Remembers a translation of a RAM page for data; a write needs a page free of flags. */
  fillData(low: number, high: number, page: number, write: boolean): void {
    const index = this.memory.pageOfHost(this.memory.hostOf(page * 4096));
    if (write) {
      if ((this.memory.flags(index) & PAGE_SPECIAL) !== 0) return;
      this.memory.addFlags(index, PAGE_DIRTY);
    }
    const entry =
      this.memory.view.getInt32(this.memory.mailbox + MAILBOX.dataContext, true) +
      (write ? TLB_WRITE_OFFSET : 0) +
      (((low >>> 12) & (TLB_ENTRIES - 1)) << 4);
    const virtualPage = low & ~0xfff;
    const { view } = this.memory;
    view.setInt32(entry, virtualPage, true);
    view.setInt32(entry + 4, high, true);
    view.setInt32(entry + 8, this.memory.hostOf(page * 4096) - virtualPage, true);
  }

  fillFetch(low: number, high: number, slots: number): void {
    const { view, mailbox } = this.memory;
    const entry =
      view.getInt32(mailbox + MAILBOX.fetchContext, true) +
      (((low >>> 12) & (FETCH_ENTRIES - 1)) << 4);
    view.setInt32(entry, low & ~0xfff, true);
    view.setInt32(entry + 4, high, true);
    view.setInt32(entry + 8, slots, true);
  }

  /**
   * Before a store of `bytes` at `host` to a flagged page table. True if something derived was
   * dropped, so that running code must look up its page again.
   */
  beforeTableStore(host: number, bytes: number): boolean {
    const end = host + bytes;
    // Host addresses may be above 2^31, which bit operations would make negative.
    for (let entry = host - (host % 8); entry < end; entry += 8) {
      if ((this.memory.view.getUint8(entry) & V) !== 0) {
        this.flush();
        return true;
      }
    }
    return false;
  }

  private low(field: keyof typeof HART_WORD): number {
    return this.halves[HART_WORD[field] * 2] ?? 0;
  }

  /** MPRV makes M mode access data as MPP would (privileged specification, 3.1.6.3). */
  private dataPrivilege(): number {
    const privilege = this.low('privilege');
    const status = this.low('mstatus');
    return privilege === 3 && (status & MSTATUS_MPRV) !== 0 ? (status >>> 11) & 3 : privilege;
  }

  private dataContext(): number {
    const privilege = this.dataPrivilege();
    const sum = (this.low('mstatus') & MSTATUS_SUM) !== 0;
    const context =
      privilege === 3
        ? DATA_CONTEXTS.machine
        : privilege === 0
          ? DATA_CONTEXTS.user
          : sum
            ? DATA_CONTEXTS.supervisorSum
            : DATA_CONTEXTS.supervisor;
    return this.tlb + context * TLB_CONTEXT_BYTES;
  }

  /** Without paging an address is physical; above 2^56 there is nothing. */
  private identity(low: number, high: number, access: Access): Translation {
    if (high >>> 24 !== 0) return { ok: false, cause: ACCESS_FAULT[access] };
    return { ok: true, page: (high >>> 0) * 2 ** 20 + (low >>> 12) };
  }

  private walk(
    [low, high]: readonly [number, number],
    levels: number,
    request: { readonly access: Access; readonly privilege: number },
  ): Translation {
    const fault: Translation = { ok: false, cause: PAGE_FAULT[request.access] };
    const extension = levels === 3 ? high >> 6 : high >> 15;
    if (extension !== 0 && extension !== -1) return fault;
    const numbers = [
      (low >>> 12) & 0x1ff,
      (low >>> 21) & 0x1ff,
      ((low >>> 30) | (high << 2)) & 0x1ff,
      (high >>> 7) & 0x1ff,
    ];
    const satp = HART_WORD.satp * 2;
    let table = (this.halves[satp] ?? 0) + ((this.halves[satp + 1] ?? 0) & 0xfff) * 2 ** 32;
    for (let level = levels - 1; level >= 0; level--) {
      const address = table * 4096 + (numbers[level] ?? 0) * 8;
      if (!this.memory.inRam(address, 8) || !this.pmp.allows(table, 'read', 1)) {
        return { ok: false, cause: ACCESS_FAULT[request.access] };
      }
      const host = this.memory.hostOf(address);
      const entry = this.memory.view.getUint32(host, true);
      const upper = this.memory.view.getUint32(host + 4, true);
      this.watchTable(this.memory.pageOfHost(host));
      // Bits 54 to 63 belong to extensions that this machine does not have.
      if ((entry & V) === 0 || (entry & (R | W)) === W || upper >>> 22 !== 0) return fault;
      const page = (entry >>> 10) + upper * 2 ** 22;
      if ((entry & (R | X)) !== 0) {
        return this.leaf({ entry, page, level, numbers }, request) ?? fault;
      }
      if ((entry & (U | A | D)) !== 0) return fault;
      table = page;
    }
    return fault;
  }

  private leaf(
    found: {
      readonly entry: number;
      readonly page: number;
      readonly level: number;
      readonly numbers: readonly number[];
    },
    request: { readonly access: Access; readonly privilege: number },
  ): Translation | null {
    const { entry, level, numbers } = found;
    const status = this.low('mstatus');
    const user = (entry & U) !== 0;
    if (request.privilege === 0 && !user) return null;
    if (request.privilege === 1 && user) {
      if (request.access === 'fetch' || (status & MSTATUS_SUM) === 0) return null;
    }
    const readable = R | ((status & MSTATUS_MXR) !== 0 ? X : 0);
    const needed = request.access === 'read' ? readable : request.access === 'write' ? W : X;
    if ((entry & needed) === 0) return null;
    // Svade: hardware never sets A or D (privileged specification, section 12.3.1).
    if ((entry & A) === 0 || (request.access === 'write' && (entry & D) === 0)) return null;
    const span = 2 ** (9 * level);
    if (found.page % span !== 0) return null;
    let page = found.page;
    for (let lower = 0; lower < level; lower++) page += (numbers[lower] ?? 0) * 2 ** (9 * lower);
    return { ok: true, page };
  }

  private watchTable(page: number): void {
    if ((this.memory.flags(page) & PAGE_HAS_TABLES) !== 0) return;
    this.memory.addFlags(page, PAGE_HAS_TABLES);
    this.tablePages.push(page);
    this.flushWrites();
  }
}
