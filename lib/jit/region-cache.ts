/**
 * The compiled regions of one hart: made when code is hot, checked against the mapping when
 * entered, dropped when their code changes.
 *
 * Bounded, with a second chance: when it is three quarters full, each region must show that it is
 * still entered; when it is full, those that did not are dropped. Nothing here is part of machine
 * state, so primary and backup may differ in all of it.
 */

import { present } from '../base/assert.js';
import type { StoreOutcome } from '../riscv/code-cache.js';
import { REGION_ENTRIES } from '../riscv/derived.js';
import { HART_WORD } from '../riscv/hart-state.js';
import { OP_COMPILED } from '../riscv/interpreter/slots.js';
import type { HartInternals, RegionCompiler } from '../riscv/region-port.js';
import type { VirtualAddress } from '../riscv/translation-cache.js';
import { InstructionTemplates, mayBeLeftUndone } from './instruction-templates.js';
import { RegionEntries, type EntryPlace } from './region-entries.js';
import { compileRegion, REGION_FUNCTION } from './region-module.js';
import {
  UNOBSERVED,
  type RegionControl,
  type RegionObserver,
  type RegionStatistics,
} from './region-observer.js';
import { RegionPages, type MappedPage } from './region-pages.js';
import { RegionSource } from './region-source.js';
import { discoverRegion, regionCode, type Region } from './region.js';
import { enterAtLoops } from './structure.js';

/** The part of the WebAssembly JavaScript interface that is used; the zone has no DOM types. */
declare const WebAssembly: {
  Module: new (bytes: Uint8Array) => object;
  Instance: new (
    module: object,
    imports: object,
  ) => { readonly exports: Readonly<Record<string, unknown>> };
};

/** Regions alive at once; with about 20 KiB each this bounds the memory of compiled code. */
export const REGIONS_MAX = 4096;
/** Share of the cache in use, from which on regions have to show that they are entered. */
const DOUBT_SHARE = 0.75;
/** Share of the cache that is kept at most when it is full, so that there is room for a while. */
const KEPT_SHARE = 0.75;
/** Times that a region was found at another address than compiled for, before it is dropped. */
const MISFITS_MAX = 64;
export interface RegionCacheOptions {
  /** False only where the cost of counting is measured. */
  readonly counting: boolean;
  /** Samples in a region before it is compiled thoroughly; 0 has that done at once. */
  readonly thoroughAfter: number;
}

/** Looking where the guest is costs a microsecond, so that not every stretch is looked at. */
const STRETCHES_PER_SAMPLE = 8;

interface LiveRegion {
  readonly start: bigint;
  readonly functionIndex: number;
  readonly pages: readonly MappedPage[];
  readonly entries: readonly EntryPlace[];
  readonly moduleBytes: number;
  /** Compiled or entered since regions had to show it last. */
  inUse: boolean;
  misfits: number;
  samples: number;
  /** Compiled again, for much of the guest's time passes in it. */
  readonly thorough: boolean;
}

export class RegionCache implements RegionCompiler, RegionControl {
  readonly statistics: RegionStatistics = {
    compiled: 0,
    dropped: 0,
    instructions: 0,
    live: 0,
    liveBytes: 0,
    compileNs: 0n,
  };
  private readonly hart: HartInternals;
  private readonly templates: InstructionTemplates;
  private readonly observer: RegionObserver;
  /** In the order in which they were compiled. */
  private readonly live = new Set<LiveRegion>();
  private readonly byEntry = new Map<number, LiveRegion>();
  private readonly entries: RegionEntries;
  private readonly pages: RegionPages<LiveRegion>;
  private readonly source: RegionSource;
  private readonly thoroughAfter: number;
  private stretches = 0;
  private isDoubting = false;
  private nextFunction = 1;
  private readonly freeFunctions: number[] = [];

  constructor(
    hart: HartInternals,
    options: RegionCacheOptions,
    observer: RegionObserver = UNOBSERVED,
  ) {
    this.hart = hart;
    this.entries = new RegionEntries(hart);
    this.pages = new RegionPages(() => Number(hart.step()));
    this.source = new RegionSource(hart, (ramPage) => this.pages.admits(ramPage));
    this.templates = new InstructionTemplates(hart.addresses, options.counting);
    this.thoroughAfter = options.thoroughAfter;
    this.observer = observer;
    observer.created?.(this);
  }

  hot(slot: number): void {
    const { view } = this.hart.memory;
    if ((view.getUint8(slot) & 0xff) === OP_COMPILED) return;
    this.timed(() => {
      const pages: MappedPage[] = [];
      const start = this.startFor(this.pc(), pages);
      if (start === null) return;
      const isLeft = (pc: bigint): boolean => pc !== start && this.isEnteredThoroughly(pc, pages);
      const found = this.discover(start, pages, isLeft);
      if (found === null) return;
      const thorough = this.thoroughAfter === 0;
      const region = (thorough ? enterAtLoops(found) : null) ?? found;
      if (this.makeRoom(region, pages)) this.install(region, pages, thorough);
    });
  }

  /**
   * Where a region for a hot place begins. One that leaves an access to the interpreter again and
   * again is to be entered behind it. Null if it is already, and where nothing may be compiled.
   */
  private startFor(pc: bigint, pages: MappedPage[]): bigint | null {
    const page = this.source.pageOf(pc, pages);
    if (page === null) return null;
    const [live] = this.pages.at(page.ramPage, halfwordOf(pc));
    if (live === undefined) return pc;
    const decoded = this.source.decode(pc, pages);
    if (decoded === null || !mayBeLeftUndone(decoded.instruction)) return pc;
    const next = BigInt.asUintN(64, pc + BigInt(decoded.bytes));
    if (next >> 12n !== pc >> 12n) return pc;
    const { code, memory } = this.hart;
    const slot = code.slotAt(page.ramPage, halfwordOf(next));
    return slot >= 0 && memory.view.getUint8(slot) === OP_COMPILED ? null : next;
  }

  sample(): void {
    if (++this.stretches % STRETCHES_PER_SAMPLE !== 0) return;
    const pc = this.pc();
    const page = this.source.pageOf(pc, []);
    const covering = page === null ? [] : this.pages.at(page.ramPage, halfwordOf(pc));
    const [live] = covering;
    if (live === undefined || covering.some(({ thorough }) => thorough)) return;
    if (++live.samples !== this.thoroughAfter) return;
    if (!live.pages.every((mapped) => this.source.isMapped(mapped))) return;
    this.timed(() => {
      const pages: MappedPage[] = [];
      const found = this.discover(live.start, pages);
      const region = found === null ? null : enterAtLoops(found);
      if (region === null || !this.makeRoom(region, pages)) return;
      this.dropWithin(region, pages);
      this.install(region, pages, true);
    });
  }

  /** Drops the regions that begin within the code of another: they would be entered first. */
  private dropWithin(region: Region, pages: MappedPage[]): void {
    for (const pc of regionCode(region)) {
      const page = this.source.pageOf(pc, pages);
      const slot = page === null ? -1 : this.hart.code.slotAt(page.ramPage, halfwordOf(pc));
      const other = slot < 0 ? undefined : this.enteredAt(slot);
      if (other !== undefined && !other.thorough) this.drop(other);
    }
  }

  /** Whether a region that was compiled thoroughly is entered at a place. */
  private isEnteredThoroughly(pc: bigint, pages: MappedPage[]): boolean {
    const page = this.source.pageOf(pc, pages);
    const slot = page === null ? -1 : this.hart.code.slotAt(page.ramPage, halfwordOf(pc));
    return slot >= 0 && this.enteredAt(slot)?.thorough === true;
  }

  private enteredAt(slot: number): LiveRegion | undefined {
    const { view } = this.hart.memory;
    if (view.getUint8(slot) !== OP_COMPILED) return undefined;
    return this.byEntry.get(view.getInt32(slot + 4, true));
  }

  private timed(compile: () => void): void {
    const begunNs = this.observer.monotonicNs();
    compile();
    this.statistics.compileNs += this.observer.monotonicNs() - begunNs;
    this.observer.changed(this.statistics);
  }

  /** The region around `start`, which ends where `isLeft` says. */
  private discover(
    start: bigint,
    pages: MappedPage[],
    isLeft: (pc: bigint) => boolean = () => false,
  ): Region | null {
    return discoverRegion(start, (pc) => (isLeft(pc) ? null : this.source.decode(pc, pages)), {
      jumpTargets: () => pages.flatMap((page) => this.source.jumpTargets(page)),
    });
  }

  validate(entry: number): boolean {
    const region = this.byEntry.get(entry);
    if (region === undefined) return false;
    const here = this.entries.pcOf(entry) === this.pc();
    const same = here && region.pages.every((page) => this.source.isMapped(page));
    if (!same) {
      if (++region.misfits > MISFITS_MAX) this.drop(region);
      return false;
    }
    region.inUse = true;
    for (const { number } of region.entries) this.entries.confirm(number);
    return true;
  }

  stored(ramPage: number, first: number, last: number): StoreOutcome {
    const { lost, inUse } = this.pages.store(ramPage, first, last);
    for (const region of lost) this.drop(region);
    if (lost.length > 0) this.observer.changed(this.statistics);
    return lost.length > 0 ? 'dropped' : inUse ? 'kept' : 'none';
  }

  covers(at: VirtualAddress): boolean {
    return this.pages.covers(at);
  }

  clear(): void {
    for (const region of this.live) this.drop(region);
    this.entries.clear();
    this.isDoubting = false;
  }

  get tableLength(): number {
    return this.hart.table.length;
  }

  private pc(): bigint {
    return this.hart.memory.block.get(HART_WORD.pc);
  }

  /** Slots for every page and numbers for every entry; false if a page has no room for slots. */
  private makeRoom(region: Region, pages: readonly MappedPage[]): boolean {
    const { code, mmu } = this.hart;
    for (const page of pages) {
      if (!code.hasRoom(page.ramPage)) return false;
      if (code.slotsOf(page.ramPage).fresh) mmu.cache.revokeWrites(page.ramPage);
    }
    const fill = this.fillWith(region.entries.length);
    if (fill > 1) this.evict();
    else if (fill > DOUBT_SHARE && !this.isDoubting) this.doubtAll();
    return true;
  }

  /** Share of the cache in use if a region with so many entries is added. */
  private fillWith(entries: number): number {
    const { used } = this.entries;
    return Math.max((this.live.size + 1) / REGIONS_MAX, (used + entries) / REGION_ENTRIES);
  }

  private doubtAll(): void {
    for (const region of this.live) {
      region.inUse = false;
      for (const place of region.entries) this.entries.doubt(place);
    }
    this.isDoubting = true;
  }

  /** Drops what was not entered since `doubtAll`, and the oldest if that is not enough. */
  private evict(): void {
    for (const region of this.live) {
      if (!region.inUse) this.drop(region);
    }
    for (const region of this.live) {
      if (this.fillWith(0) <= KEPT_SHARE) break;
      this.drop(region);
    }
    this.isDoubting = false;
  }

  private install(region: Region, pages: readonly MappedPage[], thorough: boolean): void {
    const functionIndex = this.claimFunction();
    const compiled = compileRegion(region, {
      templates: this.templates,
      memory: this.hart.limits,
      functionIndex,
      thorough,
    });
    const env: Record<string, unknown> = { memory: this.hart.callees['memory'] };
    for (const name of compiled.imports) env[name] = this.hart.callees[name];
    const instance = new WebAssembly.Instance(new WebAssembly.Module(compiled.bytes), { env });
    this.hart.table.set(functionIndex, instance.exports[REGION_FUNCTION.name]);
    const entries: EntryPlace[] = [];
    const moduleBytes = compiled.bytes.length;
    const { start } = region;
    const live: LiveRegion = {
      ...{ start, functionIndex, pages, entries, moduleBytes },
      ...{ inUse: true, misfits: 0, samples: 0, thorough },
    };
    this.live.add(live);
    for (const [selector, pc] of region.entries.entries()) {
      const place = this.placeEntry(pc, pages);
      if (place === null) continue;
      const minimumBudget = present(compiled.minimumBudget.get(pc), 'budget of an entry');
      this.entries.write(place, { pc, selector, functionIndex, minimumBudget });
      entries.push(place);
      this.byEntry.set(place.number, live);
    }
    this.pages.add(live, region);
    this.statistics.live++;
    this.statistics.compiled++;
    this.statistics.instructions += region.instructionCount;
    this.statistics.liveBytes += compiled.bytes.length;
    this.observer.compiled?.({ region, bytes: compiled.bytes });
  }

  /** A place in the table; those of dropped regions come again, so that it stays small. */
  private claimFunction(): number {
    const index = this.freeFunctions.pop() ?? this.nextFunction++;
    if (index >= this.hart.table.length) this.hart.table.grow(1024);
    return index;
  }

  /** A number for the entry at `pc` and its slot; null if another region is entered there. */
  private placeEntry(pc: bigint, pages: readonly MappedPage[]): EntryPlace | null {
    const page = this.source.pageOf(pc, [...pages]);
    return page === null ? null : this.entries.claim(page.ramPage, halfwordOf(pc));
  }

  private drop(region: LiveRegion): void {
    for (const place of region.entries) {
      this.entries.release(place);
      this.byEntry.delete(place.number);
    }
    this.live.delete(region);
    this.pages.remove(region);
    this.hart.table.set(region.functionIndex, null);
    this.freeFunctions.push(region.functionIndex);
    this.statistics.live--;
    this.statistics.liveBytes -= region.moduleBytes;
    this.statistics.dropped++;
  }
}

/** Number of a place among the 2048 halfwords of its page. */
const halfwordOf = (pc: bigint): number => Number(pc & 0xfffn) >> 1;
