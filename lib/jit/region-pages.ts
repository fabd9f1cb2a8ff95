/**
 * The pages that the live regions of one hart came from, with the halfwords of them that are code,
 * and what a store to such a page costs: the regions it touches, or nothing.
 *
 * Data beside code is common in small guests. A store that touches no region's code drops none, but
 * is slow; so after many of them the page's regions are dropped all the same, and the page may be
 * data from then on. A page whose code is rewritten in quick succession is left to the interpreter,
 * and tried again ever more rarely; what was long ago is forgotten, so that a page which gets new
 * code now and then, as those of a compiler at run time do, is compiled each time.
 */

import { assert } from '../base/assert.js';
import type { VirtualAddress } from '../riscv/translation-cache.js';
import type { Region } from './region.js';

export interface MappedPage {
  readonly virtualLow: number;
  readonly virtualHigh: number;
  readonly ramPage: number;
}

/** What a store meant to compiled code. */
export interface StoreEffect<R> {
  /** Regions whose code it touched. */
  readonly lost: readonly R[];
  /** Whether regions of the page are left. */
  readonly inUse: boolean;
}

/** Times that stores may drop regions of a page before it is left to the interpreter. */
const PAGE_DROPS_MAX = 16;
/**
 * Steps that make up for one such time: interpreted, they take some 30 ms, so that compiling a page
 * again and again costs a few hundredths of the guest's time.
 */
export const STEPS_PER_DROP = 4_000_000;
/** The most attempts on such a page that are refused before one is made; doubles with each drop. */
const REFUSALS_MAX = 1024;
/** Stores beside the code of a page, after which its regions are dropped. */
const MISSES_MAX = 65_536;

const PAGE_HALFWORDS = 2048;

/** One bit for every halfword of a page, by word of 32. */
type CodeBits = Uint32Array;

interface PageRecord<R> {
  readonly regions: Map<R, CodeBits>;
  misses: number;
  drops: number;
  /** Up to which step drops are forgotten. */
  forgiven: number;
  refusals: number;
}

const NO_HISTORY = { misses: 0, drops: 0, forgiven: 0, refusals: 0 } as const;

export class RegionPages<R extends { readonly pages: readonly MappedPage[] }> {
  private readonly step: () => number;
  private readonly records = new Map<number, PageRecord<R>>();
  /** Live regions by virtual page number: how many. */
  private readonly coverage = new Map<number, number>();

  /** `step` tells the steps that the hart has counted; it serves speed alone. */
  constructor(step: () => number) {
    this.step = step;
  }

  add(live: R, region: Region): void {
    for (const page of live.pages) {
      this.cover(page, 1);
      const record = this.recordOf(page.ramPage);
      const bits = record.regions.get(live) ?? new Uint32Array(64);
      markCode(bits, region, page);
      record.regions.set(live, bits);
    }
  }

  remove(live: R): void {
    for (const page of live.pages) {
      this.cover(page, -1);
      this.records.get(page.ramPage)?.regions.delete(live);
    }
  }

  /** Whether a region has code at a virtual page. */
  covers({ low, high }: VirtualAddress): boolean {
    return this.coverage.has(pageNumber(low, high));
  }

  /** The regions that have code at a halfword of a page, the oldest first. */
  at(ramPage: number, halfword: number): readonly R[] {
    const regions = [...(this.records.get(ramPage)?.regions ?? [])];
    return regions.flatMap(([region, bits]) => (touches(bits, halfword, halfword) ? region : []));
  }

  /** Whether the code of a page may be compiled now; asked once for each attempt. */
  admits(ramPage: number): boolean {
    const record = this.records.get(ramPage);
    if (record === undefined) return true;
    this.forgive(record);
    if (record.drops < PAGE_DROPS_MAX) return true;
    const patience = Math.min(2 ** (record.drops - PAGE_DROPS_MAX), REFUSALS_MAX);
    if (++record.refusals <= patience) return false;
    record.refusals = 0;
    return true;
  }

  /** A store to halfwords `first` to `last` of a page; whoever asks drops what is lost. */
  store(ramPage: number, first: number, last: number): StoreEffect<R> {
    const record = this.records.get(ramPage);
    if (record === undefined || record.regions.size === 0) return { lost: [], inUse: false };
    const lost: R[] = [];
    for (const [region, bits] of record.regions) {
      if (touches(bits, first, last)) lost.push(region);
    }
    if (lost.length > 0) this.countDrop(record);
    else if (++record.misses >= MISSES_MAX) lost.push(...record.regions.keys());
    if (lost.length > 0) record.misses = 0;
    return { lost, inUse: lost.length < record.regions.size };
  }

  private recordOf(ramPage: number): PageRecord<R> {
    const known = this.records.get(ramPage);
    if (known !== undefined) return known;
    const record = { regions: new Map<R, CodeBits>(), ...NO_HISTORY };
    this.records.set(ramPage, record);
    return record;
  }

  private countDrop(record: PageRecord<R>): void {
    this.forgive(record);
    record.drops++;
  }

  private forgive(record: PageRecord<R>): void {
    const step = this.step();
    const times = Math.floor((step - record.forgiven) / STEPS_PER_DROP);
    // A restored machine counts anew from an earlier step.
    if (record.drops <= times || times < 0) record.forgiven = step;
    else record.forgiven += times * STEPS_PER_DROP;
    record.drops = Math.max(0, record.drops - Math.max(0, times));
  }

  private cover({ virtualLow, virtualHigh }: MappedPage, change: 1 | -1): void {
    const page = pageNumber(virtualLow, virtualHigh);
    const count = (this.coverage.get(page) ?? 0) + change;
    assert(count >= 0, 'a page is left as often as it was entered');
    if (count === 0) this.coverage.delete(page);
    else this.coverage.set(page, count);
  }
}

/** Marks what a region has of one page: also the end of an instruction that begins before it. */
function markCode(bits: CodeBits, region: Region, page: MappedPage): void {
  const base = BigInt.asUintN(
    64,
    (BigInt(page.virtualHigh) << 32n) | BigInt(page.virtualLow >>> 0),
  );
  for (const block of region.blocks.values()) {
    for (const { pc, decoded } of block.instructions) {
      const first = BigInt.asIntN(64, pc - base) / 2n;
      if (first < -1n || first >= PAGE_HALFWORDS) continue;
      const halfword = Number(first);
      for (let at = halfword; at < halfword + decoded.bytes / 2; at++) {
        if (at < 0 || at >= PAGE_HALFWORDS) continue;
        bits[at >> 5] = (bits[at >> 5] ?? 0) | (1 << (at & 31));
      }
    }
  }
}

function touches(bits: CodeBits, first: number, last: number): boolean {
  for (let at = first; at <= last; at++) {
    if (((bits[at >> 5] ?? 0) & (1 << (at & 31))) !== 0) return true;
  }
  return false;
}

function pageNumber(low: number, high: number): number {
  return high * 2 ** 20 + (low >>> 12);
}
