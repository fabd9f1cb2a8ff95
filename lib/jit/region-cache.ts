/**
 * The compiled regions of one hart: made when code is hot, checked against the mapping when
 * entered, dropped when their code changes.
 *
 * Bounded: when entries or functions run out, everything is dropped and compiling starts anew.
 * Nothing here is part of machine state, so primary and backup may differ in all of it.
 */

import { present } from '../base/assert.js';
import type { StoreOutcome } from '../riscv/code-cache.js';
import {
  ENTRY,
  ENTRY_BYTES,
  JUMP,
  JUMP_BYTES,
  JUMP_CACHE_ENTRIES,
  MAILBOX,
  REGION_ENTRIES,
} from '../riscv/derived.js';
import { HART_WORD } from '../riscv/hart-state.js';
import { OP_COMPILED, OP_UNDECODED } from '../riscv/interpreter/slots.js';
import type { HartInternals, RegionCompiler } from '../riscv/region-port.js';
import type { VirtualAddress } from '../riscv/translation-cache.js';
import { compileRegion, REGION_FUNCTION } from './region-module.js';
import {
  UNOBSERVED,
  type RegionControl,
  type RegionObserver,
  type RegionStatistics,
} from './region-observer.js';
import { RegionPages, type MappedPage } from './region-pages.js';
import { RegionSource } from './region-source.js';
import { discoverRegion, type Region } from './region.js';
import { hasLoopsToRepeat } from './unroll.js';

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
/** Times that a region was found at another address than compiled for, before it is dropped. */
const MISFITS_MAX = 64;
/**
 * Times that a slice ended in a region, after which its loops are worth repeating: by then it took
 * some milliseconds of the guest's time, as much as compiling takes.
 */
const SAMPLES_TO_REPEAT = 32;

interface LiveRegion {
  readonly start: bigint;
  readonly functionIndex: number;
  readonly pages: readonly MappedPage[];
  readonly entries: readonly { readonly number: number; readonly slot: number }[];
  readonly moduleBytes: number;
  misfits: number;
  samples: number;
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
  private readonly counting: boolean;
  private readonly observer: RegionObserver;
  private readonly byEntry = new Map<number, LiveRegion>();
  private readonly pages = new RegionPages<LiveRegion>();
  private readonly source: RegionSource;
  private freeEntries: number[] = [];
  private nextEntry = 0;
  private nextFunction = 1;
  private readonly freeFunctions: number[] = [];

  /** `counting` is false only where its cost is measured; see `EngineOptions`. */
  constructor(hart: HartInternals, counting = true, observer: RegionObserver = UNOBSERVED) {
    this.hart = hart;
    this.source = new RegionSource(hart, (ramPage) => this.pages.admits(ramPage));
    this.counting = counting;
    this.observer = observer;
    observer.created?.(this);
  }

  hot(slot: number): void {
    const { view } = this.hart.memory;
    if ((view.getUint8(slot) & 0xff) === OP_COMPILED) return;
    this.timed(() => {
      const pages: MappedPage[] = [];
      const region = this.discover(this.pc(), pages);
      if (region !== null && this.makeRoom(region, pages)) this.install(region, pages, false);
    });
  }

  sample(): void {
    const pc = this.pc();
    const page = this.source.pageOf(pc, []);
    const live = page === null ? null : this.pages.at(page.ramPage, Number(pc & 0xfffn) >> 1);
    if (live === null || ++live.samples !== SAMPLES_TO_REPEAT) return;
    if (!live.pages.every((mapped) => this.source.isMapped(mapped))) return;
    this.timed(() => {
      const pages: MappedPage[] = [];
      const region = this.discover(live.start, pages);
      if (region === null || !hasLoopsToRepeat(region)) return;
      this.drop(live);
      if (this.makeRoom(region, pages)) this.install(region, pages, true);
    });
  }

  private timed(compile: () => void): void {
    const begunNs = this.observer.monotonicNs();
    compile();
    this.statistics.compileNs += this.observer.monotonicNs() - begunNs;
    this.observer.changed(this.statistics);
  }

  private discover(start: bigint, pages: MappedPage[]): Region | null {
    return discoverRegion(start, (pc) => this.source.decode(pc, pages), {
      jumpTargets: () => pages.flatMap((page) => this.source.jumpTargets(page)),
    });
  }

  validate(entry: number): boolean {
    const region = this.byEntry.get(entry);
    if (region === undefined) return false;
    const { memory } = this.hart;
    const at = this.entryAddress(entry);
    const here = memory.view.getBigUint64(at + ENTRY.pc, true) === this.pc();
    const same = here && region.pages.every((page) => this.source.isMapped(page));
    if (!same) {
      if (++region.misfits > MISFITS_MAX) this.drop(region);
      return false;
    }
    const epoch = memory.view.getInt32(memory.mailbox + MAILBOX.epoch, true);
    for (const { number } of region.entries) {
      memory.view.setInt32(this.entryAddress(number) + ENTRY.epoch, epoch, true);
    }
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
    for (const region of new Set(this.byEntry.values())) this.drop(region);
    this.freeEntries = [];
    this.nextEntry = 0;
    this.forgetJumps();
  }

  get tableLength(): number {
    return this.hart.table.length;
  }

  private pc(): bigint {
    return this.hart.memory.block.get(HART_WORD.pc);
  }

  private entryAddress(entry: number): number {
    return this.hart.addresses.entries + entry * ENTRY_BYTES;
  }

  /** Slots for every page and numbers for every entry; false if a page has no room for slots. */
  private makeRoom(region: Region, pages: readonly MappedPage[]): boolean {
    const { code, mmu } = this.hart;
    for (const page of pages) {
      if (!code.hasRoom(page.ramPage)) return false;
      if (code.slotsOf(page.ramPage).fresh) mmu.cache.revokeWrites(page.ramPage);
    }
    const entriesLeft = REGION_ENTRIES - this.nextEntry + this.freeEntries.length;
    if (entriesLeft < region.entries.length || this.statistics.live >= REGIONS_MAX) this.clear();
    return true;
  }

  private install(region: Region, pages: readonly MappedPage[], repeatLoops: boolean): void {
    const functionIndex = this.claimFunction();
    const compiled = compileRegion(region, {
      addresses: this.hart.addresses,
      memory: this.hart.limits,
      jumpCache: this.hart.addresses.jumpCache,
      functionIndex,
      counting: this.counting,
      repeatLoops,
    });
    const env: Record<string, unknown> = { memory: this.hart.callees['memory'] };
    for (const name of compiled.imports) env[name] = this.hart.callees[name];
    const instance = new WebAssembly.Instance(new WebAssembly.Module(compiled.bytes), { env });
    this.hart.table.set(functionIndex, instance.exports[REGION_FUNCTION.name]);
    const entries: { number: number; slot: number }[] = [];
    const moduleBytes = compiled.bytes.length;
    const { start } = region;
    const samples = repeatLoops ? SAMPLES_TO_REPEAT : 0;
    const live: LiveRegion = {
      ...{ start, functionIndex, pages, entries, moduleBytes },
      ...{ misfits: 0, samples },
    };
    for (const [selector, pc] of region.entries.entries()) {
      const place = this.placeEntry(pc, pages);
      if (place === null) continue;
      this.writeEntry(place, { pc, selector, functionIndex, compiled: compiled.minimumBudget });
      this.cacheJump(pc, functionIndex, selector);
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
  private placeEntry(
    pc: bigint,
    pages: readonly MappedPage[],
  ): { readonly number: number; readonly slot: number } | null {
    const { code, memory } = this.hart;
    const page = this.source.pageOf(pc, [...pages]);
    if (page === null) return null;
    const slot = code.slotAt(page.ramPage, Number(pc & 0xfffn) / 2);
    if (slot < 0) return null;
    if (memory.view.getUint8(slot) === OP_UNDECODED) code.decode(slot);
    if (memory.view.getUint8(slot) === OP_COMPILED) return null;
    const number = this.freeEntries.pop() ?? this.nextEntry++;
    return { number, slot };
  }

  private writeEntry(
    place: { readonly number: number; readonly slot: number },
    entry: {
      readonly pc: bigint;
      readonly selector: number;
      readonly functionIndex: number;
      readonly compiled: ReadonlyMap<bigint, number>;
    },
  ): void {
    const { view } = this.hart.memory;
    const at = this.entryAddress(place.number);
    view.setInt32(at + ENTRY.originalLow, view.getInt32(place.slot, true), true);
    view.setInt32(at + ENTRY.originalImm, view.getInt32(place.slot + 4, true), true);
    view.setInt32(at + ENTRY.function, entry.functionIndex, true);
    view.setInt32(at + ENTRY.selector, entry.selector, true);
    view.setInt32(at + ENTRY.epoch, 0, true);
    const budget = present(entry.compiled.get(entry.pc), 'budget of an entry');
    view.setInt32(at + ENTRY.minimumBudget, budget, true);
    view.setBigUint64(at + ENTRY.pc, entry.pc, true);
    view.setInt32(place.slot, OP_COMPILED, true);
    view.setInt32(place.slot + 4, place.number, true);
  }

  private jumpAddress(pc: bigint): number {
    const index = Number((pc >> 1n) & BigInt(JUMP_CACHE_ENTRIES - 1));
    return this.hart.addresses.jumpCache + index * JUMP_BYTES;
  }

  /** Lets the region find its own entry; others only once it was entered there. */
  private cacheJump(pc: bigint, functionIndex: number, selector: number): void {
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

  private forgetJumps(): void {
    const { memory, addresses } = this.hart;
    new Uint8Array(memory.view.buffer, addresses.jumpCache, JUMP_CACHE_ENTRIES * JUMP_BYTES).fill(
      0,
    );
  }

  private drop(region: LiveRegion): void {
    const { view } = this.hart.memory;
    for (const { number, slot } of region.entries) {
      const at = this.entryAddress(number);
      this.forgetJump(view.getBigUint64(at + ENTRY.pc, true), region.functionIndex);
      if (view.getUint8(slot) === OP_COMPILED && view.getInt32(slot + 4, true) === number) {
        view.setInt32(slot, view.getInt32(at + ENTRY.originalLow, true), true);
        view.setInt32(slot + 4, view.getInt32(at + ENTRY.originalImm, true), true);
      }
      this.byEntry.delete(number);
      this.freeEntries.push(number);
    }
    this.pages.remove(region);
    this.hart.table.set(region.functionIndex, null);
    this.freeFunctions.push(region.functionIndex);
    this.statistics.live--;
    this.statistics.liveBytes -= region.moduleBytes;
    this.statistics.dropped++;
  }
}
