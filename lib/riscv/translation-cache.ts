/**
 * The TLBs of one hart in derived memory: which virtual pages are remembered, for whom, and what
 * must be forgotten when something changes.
 *
 * A context is a direct-mapped array; for data there are two halves, reads and writes. M mode has
 * one context of each sort; every address space (a value of satp) has three for data and two for
 * fetches. Some spaces are kept at once, so that a switch between processes forgets nothing. Each
 * space keeps a list of the entries it has filled: forgetting costs as much as was remembered, not
 * as much as could be.
 *
 * Invariants: an entry in a write half exists only while its page may be stored to without asking.
 * Every entry that is not empty is in its space's list, once. `epoch` of a space changes whenever
 * code addresses in it may mean something else.
 */

import { assert } from '../base/assert.js';
import type { MemoryLayout } from '../memory/layout.js';
import {
  ADDRESS_SPACES,
  FETCH_CONTEXT_BYTES,
  FETCH_ENTRIES,
  SPACE_DATA_CONTEXTS,
  SPACE_FETCH_CONTEXTS,
  TLB_CONTEXT_BYTES,
  TLB_ENTRIES,
  TLB_WRITE_OFFSET,
} from './derived.js';
import { PageUsers, type VirtualAddress } from './page-users.js';

export type { VirtualAddress };

/** Low half of a tag that never was used. A masked address always has bits 3 to 11 clear. */
const EMPTY = -1;
/** Low half of a tag that was used and forgotten; it is in the list of its space. */
const VACATED = -2;
const MAX_EPOCH = 0x1fff_ffff;
const SPACE_ENTRIES = SPACE_DATA_CONTEXTS * 2 * TLB_ENTRIES + SPACE_FETCH_CONTEXTS * FETCH_ENTRIES;
/** Data context of M mode; the others are numbered by DATA_CONTEXTS. */
export const MACHINE_CONTEXT = -1;

interface Space {
  readonly dataContexts: readonly number[];
  readonly fetchContexts: readonly number[];
  /** Indices of the first word (tag low, tag high, value, unused) of filled entries. */
  readonly filled: Int32Array;
  filledCount: number;
  satpLow: number;
  satpHigh: number;
  lastUse: number;
  epoch: number;
}

export class TranslationCache {
  private readonly words: Int32Array;
  private readonly tlb: number;
  private readonly fetch: number;
  private readonly machine: Space;
  private readonly spaces: readonly Space[];
  private readonly all: readonly Space[];
  private current: Space;
  private uses = 0;
  private epochs = 0;
  private readonly writers: PageUsers;
  /** Null where no page is ever taken from the hart. */
  private readonly readers: PageUsers | null;
  /** Called when epochs start anew: nothing may be known by an epoch any more. */
  onEpochsSpent: () => void = () => undefined;

  /** `shared`: other harts may take pages away. */
  constructor(hart: number, layout: MemoryLayout, buffer: ArrayBufferLike, shared = false) {
    this.tlb = layout.offsetOf(`tlb${hart}`);
    this.fetch = layout.offsetOf(`fetch${hart}`);
    this.words = new Int32Array(buffer);
    this.machine = this.createSpace([0], [0]);
    this.spaces = range(ADDRESS_SPACES).map((space) =>
      this.createSpace(
        range(SPACE_DATA_CONTEXTS).map((at) => 1 + space * SPACE_DATA_CONTEXTS + at),
        range(SPACE_FETCH_CONTEXTS).map((at) => 1 + space * SPACE_FETCH_CONTEXTS + at),
      ),
    );
    this.all = [this.machine, ...this.spaces];
    this.writers = new PageUsers(layout.ramBytes / 4096);
    this.readers = shared ? new PageUsers(layout.ramBytes / 4096) : null;
    this.current = this.spaces[0] ?? this.machine;
    for (const space of this.all) {
      for (const at of space.dataContexts) this.clear(at, TLB_CONTEXT_BYTES);
      for (const at of space.fetchContexts) this.clear(at, FETCH_CONTEXT_BYTES);
      this.renew(space);
    }
  }

  /** Makes the space of this satp the one in force; the one unused longest may go for it. */
  select(satpLow: number, satpHigh: number): void {
    const { current } = this;
    if (current.satpLow === satpLow && current.satpHigh === satpHigh) return;
    let oldest: Space | null = null;
    for (const space of this.spaces) {
      if (space.satpLow === satpLow && space.satpHigh === satpHigh) {
        this.use(space);
        return;
      }
      if (oldest === null || space.lastUse < oldest.lastUse) oldest = space;
    }
    assert(oldest !== null, 'there are address spaces');
    this.forgetSpace(oldest);
    oldest.satpLow = satpLow;
    oldest.satpHigh = satpHigh;
    this.use(oldest);
  }

  /** Host address of a data context: MACHINE_CONTEXT or one of DATA_CONTEXTS. */
  dataContext(context: number): number {
    if (context === MACHINE_CONTEXT) return this.machine.dataContexts[0] ?? 0;
    return this.current.dataContexts[context] ?? 0;
  }

  fetchContext(privilege: number): number {
    if (privilege === 3) return this.machine.fetchContexts[0] ?? 0;
    return this.current.fetchContexts[privilege] ?? 0;
  }

  /** Names the mapping of code in force at a privilege; never 0. */
  epoch(privilege: number): number {
    const space = privilege === 3 ? this.machine : this.current;
    return (space.epoch << 2) | privilege;
  }

  /** Remembers for loads that a virtual page is at `delta` from it (host minus virtual). */
  fillRead(context: number, at: VirtualAddress, delta: number, ramPage: number): void {
    this.readers?.note(ramPage, at);
    const index = ((at.low >>> 12) & (TLB_ENTRIES - 1)) << 4;
    this.fill(this.spaceOf(context), this.dataContext(context) + index, at, delta);
  }

  /** The same for stores, which then need not ask: the RAM page has to bear that. */
  fillWrite(context: number, at: VirtualAddress, delta: number, ramPage: number): void {
    this.writers.note(ramPage, at);
    const index = ((at.low >>> 12) & (TLB_ENTRIES - 1)) << 4;
    const entry = this.dataContext(context) + TLB_WRITE_OFFSET + index;
    this.fill(this.spaceOf(context), entry, at, delta);
  }

  fillFetch(privilege: number, at: VirtualAddress, slots: number): void {
    const index = ((at.low >>> 12) & (FETCH_ENTRIES - 1)) << 4;
    const space = privilege === 3 ? this.machine : this.current;
    this.fill(space, this.fetchContext(privilege) + index, at, slots);
  }

  /** What `fillFetch` said of a virtual page; null if it is not remembered. */
  fetchedFrom(privilege: number, at: VirtualAddress): number | null {
    const index = ((at.low >>> 12) & (FETCH_ENTRIES - 1)) << 4;
    const word = (this.fetchContext(privilege) + index) >>> 2;
    const { words } = this;
    if (words[word] !== (at.low & ~0xfff) || words[word + 1] !== at.high) return null;
    return words[word + 2] ?? 0;
  }

  /** Forgets everything. */
  forget(): void {
    for (const space of this.all) this.forgetSpace(space);
    this.writers.clear();
    this.readers?.clear();
  }

  /** Forgets what is known of one virtual page, in every space. */
  forgetPage(at: VirtualAddress): void {
    const data = ((at.low >>> 12) & (TLB_ENTRIES - 1)) << 4;
    const fetch = ((at.low >>> 12) & (FETCH_ENTRIES - 1)) << 4;
    for (const space of this.all) {
      if (space.filledCount === 0) continue;
      for (const context of space.dataContexts) {
        this.vacate(context + data, at);
        this.vacate(context + TLB_WRITE_OFFSET + data, at);
      }
      for (const context of space.fetchContexts) this.vacate(context + fetch, at);
    }
  }

  /** Code addresses may mean something else from now on, in every space. */
  renewEpochs(): void {
    for (const space of this.all) this.renew(space);
  }

  /** Forgets where code is fetched from these slots. */
  forgetSlots(slots: number): void {
    this.vacateFilled((word) => word * 4 >= this.fetch && this.words[word + 2] === slots);
  }

  forgetFetches(): void {
    this.vacateFilled((word) => word * 4 >= this.fetch);
    this.renewEpochs();
  }

  /** Forgets what a last-level table said: the 2 MiB of addresses that begin with `region`. */
  forgetRegion(region: number): void {
    const { words } = this;
    this.vacateFilled(
      (word) => ((words[word] ?? 0) >>> 21) + (words[word + 1] ?? 0) * 2048 === region,
    );
  }

  /** Stores to a RAM page have to ask from now on. */
  revokeWrites(ramPage: number): void {
    const users = this.writers.take(ramPage);
    if (users === null) this.revokeAllWrites();
    else this.vacateHalf(users, TLB_WRITE_OFFSET);
  }

  /** Loads too. */
  revokeReads(ramPage: number): void {
    const users = this.readers?.take(ramPage) ?? null;
    if (users === null) this.revokeAll();
    else this.vacateHalf(users, 0);
  }

  revokeAllWrites(): void {
    const { tlb } = this;
    this.vacateFilled(
      (word) => word * 4 < this.fetch && ((word * 4 - tlb) & TLB_WRITE_OFFSET) !== 0,
    );
    this.writers.clear();
  }

  /** Loads and stores of every page have to ask. */
  private revokeAll(): void {
    this.vacateFilled((word) => word * 4 < this.fetch);
    this.writers.clear();
    this.readers?.clear();
  }

  private vacateHalf(users: readonly VirtualAddress[], half: number): void {
    for (const at of users) {
      const entry = half + (((at.low >>> 12) & (TLB_ENTRIES - 1)) << 4);
      for (const space of this.all) {
        if (space.filledCount === 0) continue;
        for (const context of space.dataContexts) this.vacate(context + entry, at);
      }
    }
  }

  private createSpace(dataContexts: readonly number[], fetchContexts: readonly number[]): Space {
    return {
      dataContexts: dataContexts.map((index) => this.tlb + index * TLB_CONTEXT_BYTES),
      fetchContexts: fetchContexts.map((index) => this.fetch + index * FETCH_CONTEXT_BYTES),
      filled: new Int32Array(SPACE_ENTRIES),
      filledCount: 0,
      satpLow: 0,
      satpHigh: 0,
      lastUse: 0,
      epoch: 0,
    };
  }

  private clear(start: number, bytes: number): void {
    this.words.fill(EMPTY, start / 4, (start + bytes) / 4);
  }

  private use(space: Space): void {
    this.uses += 1;
    space.lastUse = this.uses;
    this.current = space;
  }

  private spaceOf(context: number): Space {
    return context === MACHINE_CONTEXT ? this.machine : this.current;
  }

  private fill(space: Space, entry: number, at: VirtualAddress, value: number): void {
    const word = entry >>> 2;
    const { words } = this;
    if (words[word] === EMPTY) {
      assert(space.filledCount < SPACE_ENTRIES, 'more entries filled than there are');
      space.filled[space.filledCount++] = word;
    }
    words[word] = at.low & ~0xfff;
    words[word + 1] = at.high;
    words[word + 2] = value;
  }

  private vacate(entry: number, at: VirtualAddress): void {
    const word = entry >>> 2;
    if (this.words[word] !== (at.low & ~0xfff) || this.words[word + 1] !== at.high) return;
    this.words[word] = VACATED;
    this.words[word + 1] = -1;
  }

  /** Forgets the filled entries, named by their first word, that `which` is true for. */
  private vacateFilled(which: (word: number) => boolean): void {
    for (const { filled, filledCount } of this.all) {
      for (let index = 0; index < filledCount; index++) {
        const word = filled[index] ?? 0;
        if (!which(word)) continue;
        this.words[word] = VACATED;
        this.words[word + 1] = -1;
      }
    }
  }

  private forgetSpace(space: Space): void {
    const { filled, filledCount } = space;
    for (let index = 0; index < filledCount; index++) {
      const word = filled[index] ?? 0;
      this.words[word] = EMPTY;
      this.words[word + 1] = -1;
    }
    space.filledCount = 0;
    this.renew(space);
  }

  private renew(space: Space): void {
    if (this.epochs === MAX_EPOCH) {
      this.epochs = 0;
      for (const other of this.all) other.epoch = ++this.epochs;
      this.onEpochsSpent();
    }
    space.epoch = ++this.epochs;
  }
}

function range(length: number): readonly number[] {
  return Array.from({ length }, (_, index) => index);
}
