/**
 * Address translation (privileged specification, sections 12.3 to 12.5): Sv39 and Sv48 with
 * Svade, PMP, and the TLBs filled from it.
 *
 * The TLB is coherent: a guest can't see it. A page that was read as a page table is flagged and
 * gets no write entry, so every store to it comes here, and a store that changes a valid entry
 * forgets what came from it: one virtual page if the table is a last-level one in one place of the
 * address space, as kernels build them, else everything. Entries that are not valid are never
 * remembered.
 */

import { DATA_CONTEXTS, MAILBOX } from './derived.js';
import { HART_WORD } from './hart-state.js';
import { PAGE_DIRTY, PAGE_HAS_TABLES, PAGE_SPECIAL, type HartMemory } from './hart-memory.js';
import type { Access, Pmp } from './pmp.js';
import type { PageRights } from './page-rights.js';
import { MACHINE_CONTEXT, TranslationCache, type VirtualAddress } from './translation-cache.js';

/** Exception codes (privileged specification, table 14). */
const ACCESS_FAULT = { fetch: 1, read: 5, write: 7 } as const;
const PAGE_FAULT = { fetch: 12, read: 13, write: 15 } as const;

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

/** Pages that a leaf of each level covers. */
const LEVEL_PAGES = [1, 512, 512 * 512, 512 * 512 * 512] as const;
/** Where a table's entries don't name one virtual page each. */
const NO_REGION = NaN;

export class Mmu {
  readonly cache: TranslationCache;
  private readonly memory: HartMemory;
  private readonly pmp: Pmp;
  private readonly rights: PageRights;
  private readonly halves: Uint32Array;
  /** Pages flagged as page tables since everything was forgotten. */
  private readonly tablePages = new Set<number>();
  /** By RAM page: bits 21 and up of the addresses that a last-level table there translates. */
  private readonly tableRegions: Float64Array;
  /** By RAM page: 1 if instructions were fetched by a last-level table there. */
  private readonly tableFetches: Uint8Array;
  private context = MACHINE_CONTEXT;
  /** Whether compiled code relies on what a virtual page is mapped to. */
  hasCompiledCode: (at: VirtualAddress) => boolean = () => true;

  constructor(memory: HartMemory, pmp: Pmp, rights: PageRights) {
    this.memory = memory;
    this.pmp = pmp;
    this.rights = rights;
    this.halves = memory.block.halves;
    const { hart, layout, view } = memory;
    this.cache = new TranslationCache(hart, layout, view.buffer, rights.isShared);
    this.tableRegions = new Float64Array(memory.pageFlags.length);
    this.tableFetches = new Uint8Array(memory.pageFlags.length);
    this.updateContext();
  }

  /** Chooses the contexts of the present satp, privilege and mstatus; after each change of them. */
  updateContext(): void {
    const { view, mailbox } = this.memory;
    const privilege = this.low('privilege');
    this.cache.select(this.low('satp'), this.halves[HART_WORD.satp * 2 + 1] ?? 0);
    this.context = this.dataContext();
    view.setInt32(mailbox + MAILBOX.dataContext, this.cache.dataContext(this.context), true);
    view.setInt32(mailbox + MAILBOX.fetchContext, this.cache.fetchContext(privilege), true);
    view.setInt32(mailbox + MAILBOX.cboAllowed, this.cboZeroAllowed() ? 1 : 0, true);
    this.publishEpoch();
  }

  /** menvcfg.CBZE for S and U, senvcfg.CBZE for U too (privileged specification, 3.1.18). */
  cboZeroAllowed(): boolean {
    const privilege = this.low('privilege');
    if (privilege === 3) return true;
    if ((this.low('menvcfg') & 0x80) === 0) return false;
    return privilege === 1 || (this.low('senvcfg') & 0x80) !== 0;
  }

  /** Forgets every translation, and with it the reason to watch page tables. */
  flush(): void {
    this.cache.forget();
    for (const page of this.tablePages) this.memory.removeFlags(page, PAGE_HAS_TABLES);
    this.tablePages.clear();
    this.publishEpoch();
  }

  /** Another hart takes a page: forgets it, and what was translated by tables in it. */
  losePage(page: number): void {
    this.cache.revokeReads(page);
    this.cache.revokeWrites(page);
    if ((this.memory.flags(page) & PAGE_HAS_TABLES) === 0) return;
    const region = this.tableRegions[page] ?? NO_REGION;
    if (Number.isNaN(region)) {
      this.flush();
      return;
    }
    this.cache.forgetRegion(region);
    this.memory.removeFlags(page, PAGE_HAS_TABLES);
    this.tablePages.delete(page);
    if (this.tableFetches[page] === 0) return;
    this.cache.renewEpochs();
    this.publishEpoch();
  }

  flushFetch(): void {
    this.cache.forgetFetches();
    this.publishEpoch();
  }

  /** Translates one access: the physical page, or minus the exception code. Fills nothing. */
  translate(low: number, high: number, access: Access): number {
    const privilege = access === 'fetch' ? this.low('privilege') : this.dataPrivilege();
    const mode = privilege === 3 ? 0 : (this.halves[HART_WORD.satp * 2 + 1] ?? 0) >>> 28;
    const page =
      mode === 0
        ? identity(low, high, access)
        : this.walk(low, high, { levels: mode === 8 ? 3 : 4, access, privilege });
    if (page >= 0 && !this.pmp.allows(page, access, privilege)) return -ACCESS_FAULT[access];
    return page;
  }

  /** Remembers a translation of a RAM page for data; a write needs a page free of flags. */
  fillData(low: number, high: number, page: number, write: boolean): void {
    const host = this.memory.hostOf(page * 4096);
    const at = { low, high };
    const delta = host - (low & ~0xfff);
    const index = this.memory.pageOfHost(host);
    if (!write) {
      this.rights.read(index);
      this.cache.fillRead(this.context, at, delta, index);
      return;
    }
    this.rights.write(index);
    if ((this.memory.flags(index) & PAGE_SPECIAL) !== 0) return;
    this.memory.addFlags(index, PAGE_DIRTY);
    this.cache.fillWrite(this.context, at, delta, index);
  }

  /** Address of the slots that code at a virtual page is fetched from; null if not remembered. */
  fetchedFrom(low: number, high: number): number | null {
    return this.cache.fetchedFrom(this.low('privilege'), { low, high });
  }

  fillFetch(low: number, high: number, slots: number): void {
    this.cache.fillFetch(this.low('privilege'), { low, high }, slots);
  }

  /**
   * Before a store of `bytes` at `host` to a flagged page table. True if running code must look up
   * its page again.
   */
  beforeTableStore(host: number, bytes: number): boolean {
    const end = host + bytes;
    let moved = false;
    // Host addresses may be above 2^31, which bit operations would make negative.
    for (let entry = host - (host % 8); entry < end; entry += 8) {
      const old = this.memory.view.getUint8(entry);
      if ((old & V) !== 0 && this.beforeEntryStore(entry, old)) moved = true;
    }
    return moved;
  }

  private beforeEntryStore(host: number, old: number): boolean {
    const page = this.memory.pageOfHost(host);
    const region = this.tableRegions[page] ?? NO_REGION;
    const isLeaf = (old & (R | X)) !== 0;
    if (Number.isNaN(region) || !isLeaf) {
      this.flush();
      return true;
    }
    const index = (host - this.memory.hostOfPage(page)) >>> 3;
    const high = Math.floor(region / 2048);
    const at = { low: ((region - high * 2048) << 21) | (index << 12), high };
    this.cache.forgetPage(at);
    if ((old & X) === 0) return false;
    if (this.hasCompiledCode(at)) {
      this.cache.renewEpochs();
      this.publishEpoch();
    }
    return true;
  }

  private publishEpoch(): void {
    const { view, mailbox } = this.memory;
    view.setInt32(mailbox + MAILBOX.epoch, this.cache.epoch(this.low('privilege')), true);
  }

  private low(field: keyof typeof HART_WORD): number {
    return this.halves[HART_WORD[field] * 2] ?? 0;
  }

  /** MPRV makes M mode access data as MPP would (privileged specification, 3.1.6.3). */
  private dataPrivilege(): number {
    const privilege = this.low('privilege');
    if (privilege !== 3) return privilege;
    const status = this.low('mstatus');
    return (status & MSTATUS_MPRV) !== 0 ? (status >>> 11) & 3 : 3;
  }

  private dataContext(): number {
    const privilege = this.dataPrivilege();
    if (privilege === 3) return MACHINE_CONTEXT;
    if (privilege === 0) return DATA_CONTEXTS.user;
    const sum = (this.low('mstatus') & MSTATUS_SUM) !== 0;
    return sum ? DATA_CONTEXTS.supervisorSum : DATA_CONTEXTS.supervisor;
  }

  private walk(
    low: number,
    high: number,
    request: { readonly levels: number; readonly access: Access; readonly privilege: number },
  ): number {
    const { levels, access } = request;
    const fault = -PAGE_FAULT[access];
    const extension = levels === 3 ? high >> 6 : high >> 15;
    if (extension !== 0 && extension !== -1) return fault;
    const satp = HART_WORD.satp * 2;
    let table = (this.halves[satp] ?? 0) + ((this.halves[satp + 1] ?? 0) & 0xfff) * 2 ** 32;
    for (let level = levels - 1; level >= 0; level--) {
      const address = table * 4096 + indexAt(level, low, high) * 8;
      if (!this.memory.inRam(address, 8) || !this.pmp.allows(table, 'read', 1)) {
        return -ACCESS_FAULT[access];
      }
      const host = this.memory.hostOf(address);
      const holder = this.memory.pageOfHost(host);
      if (!this.rights.read(holder)) return fault;
      const entry = this.memory.view.getUint32(host, true);
      const upper = this.memory.view.getUint32(host + 4, true);
      const region = level === 0 ? high * 2048 + (low >>> 21) : NO_REGION;
      this.watchTable(holder, region);
      if (level === 0 && access === 'fetch') this.tableFetches[holder] = 1;
      // Bits 54 to 63 belong to extensions that this machine does not have.
      if ((entry & V) === 0 || (entry & (R | W)) === W || upper >>> 22 !== 0) return fault;
      const page = (entry >>> 10) + upper * 2 ** 22;
      if ((entry & (R | X)) !== 0) {
        if (!this.permits(entry, access, request.privilege)) return fault;
        const within = pageWithin(level, low, high);
        return page % (LEVEL_PAGES[level] ?? 1) === 0 ? page + within : fault;
      }
      if ((entry & (U | A | D)) !== 0) return fault;
      table = page;
    }
    return fault;
  }

  private permits(entry: number, access: Access, privilege: number): boolean {
    const status = this.low('mstatus');
    const user = (entry & U) !== 0;
    if (privilege === 0 && !user) return false;
    if (privilege === 1 && user && (access === 'fetch' || (status & MSTATUS_SUM) === 0)) {
      return false;
    }
    const readable = R | ((status & MSTATUS_MXR) !== 0 ? X : 0);
    const needed = access === 'read' ? readable : access === 'write' ? W : X;
    if ((entry & needed) === 0) return false;
    // Svade: hardware never sets A or D (privileged specification, section 12.3.1).
    return (entry & A) !== 0 && (access !== 'write' || (entry & D) !== 0);
  }

  /** Flags a page as a table; one that serves in two places names no single virtual page. */
  private watchTable(page: number, region: number): void {
    if ((this.memory.flags(page) & PAGE_HAS_TABLES) !== 0) {
      if (this.tableRegions[page] !== region) this.tableRegions[page] = NO_REGION;
      return;
    }
    this.memory.addFlags(page, PAGE_HAS_TABLES);
    this.tableRegions[page] = region;
    this.tableFetches[page] = 0;
    this.tablePages.add(page);
    this.cache.revokeWrites(page);
  }
}

/** Without paging an address is physical; above 2^56 there is nothing. */
function identity(low: number, high: number, access: Access): number {
  if (high >>> 24 !== 0) return -ACCESS_FAULT[access];
  return (high >>> 0) * 2 ** 20 + (low >>> 12);
}

/** The index into the table of a level (privileged specification, section 12.4). */
function indexAt(level: number, low: number, high: number): number {
  switch (level) {
    case 0:
      return (low >>> 12) & 0x1ff;
    case 1:
      return (low >>> 21) & 0x1ff;
    case 2:
      return ((low >>> 30) | (high << 2)) & 0x1ff;
    default:
      return (high >>> 7) & 0x1ff;
  }
}

/** The 4 KiB page within a leaf of a level. */
function pageWithin(level: number, low: number, high: number): number {
  let page = 0;
  for (let lower = 0; lower < level; lower++) {
    page += indexAt(lower, low, high) * (LEVEL_PAGES[lower] ?? 1);
  }
  return page;
}
