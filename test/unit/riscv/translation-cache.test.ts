/**
 * Goal: the TLBs remember what was filled, for the space in force only, and forget exactly what
 * they are told to, or more; a switch of address spaces forgets nothing while there is room.
 * Method: entries are filled and looked up as generated code does, by tag; random operations are
 * compared with a model that keeps everything in a map.
 */

import test from 'ava';
import { planLayout } from '../../../lib/memory/layout.js';
import {
  ADDRESS_SPACES,
  DATA_CONTEXTS,
  hartDerivedRegions,
  TLB_ENTRIES,
  TLB_WRITE_OFFSET,
} from '../../../lib/riscv/derived.js';
import { MACHINE_CONTEXT, TranslationCache } from '../../../lib/riscv/translation-cache.js';
import { Random } from '../../support/random.js';

const RAM_PAGES = 64;
const LAYOUT = planLayout({
  ramBytes: RAM_PAGES * 4096,
  blocks: [],
  derived: hartDerivedRegions(0, RAM_PAGES),
});

class Bench {
  readonly buffer = new ArrayBuffer(LAYOUT.totalBytes);
  readonly cache = new TranslationCache(0, LAYOUT, this.buffer);
  private readonly view = new DataView(this.buffer);

  /** The value that generated code would find, or null. */
  find(context: number, virtualPage: number, write: boolean): number | null {
    const at = this.cache.dataContext(context) + (write ? TLB_WRITE_OFFSET : 0);
    const entry = at + ((virtualPage & (TLB_ENTRIES - 1)) << 4);
    const tag = this.view.getBigInt64(entry, true);
    if (tag !== BigInt(virtualPage) << 12n) return null;
    return this.view.getInt32(entry + 8, true);
  }
}

const at = (virtualPage: number) => ({
  low: (virtualPage << 12) | 0,
  high: Math.floor(virtualPage / 2 ** 20),
});
const { user, supervisor } = DATA_CONTEXTS;

test('a switch between as many spaces as are kept forgets nothing; one more, the oldest', (t) => {
  const bench = new Bench();
  const { cache } = bench;
  for (let satp = 1; satp <= ADDRESS_SPACES; satp++) {
    cache.select(satp, 0);
    cache.fillRead(user, at(5), satp, 0);
  }
  for (let satp = 1; satp <= ADDRESS_SPACES; satp++) {
    cache.select(satp, 0);
    t.is(bench.find(user, 5, false), satp);
  }
  cache.select(ADDRESS_SPACES + 1, 0);
  t.is(bench.find(user, 5, false), null);
  cache.select(2, 0);
  t.is(bench.find(user, 5, false), 2);
  cache.select(1, 0);
  t.is(bench.find(user, 5, false), null);
});

test('a page that is forgotten is forgotten in every space and context, others are not', (t) => {
  const bench = new Bench();
  const { cache } = bench;
  for (const satp of [1, 2]) {
    cache.select(satp, 0);
    for (const context of [user, supervisor, MACHINE_CONTEXT]) {
      cache.fillRead(context, at(7), 1, 0);
      cache.fillWrite(context, at(7), 1, 3);
      cache.fillRead(context, at(8), 1, 0);
    }
  }
  cache.forgetPage(at(7 + TLB_ENTRIES));
  t.is(bench.find(user, 7, false), 1);
  cache.forgetPage(at(7));
  for (const satp of [1, 2]) {
    cache.select(satp, 0);
    for (const context of [user, supervisor, MACHINE_CONTEXT]) {
      t.is(bench.find(context, 7, false), null);
      t.is(bench.find(context, 7, true), null);
      t.is(bench.find(context, 8, false), 1);
    }
  }
});

test('an epoch changes with everything that code addresses depend on', (t) => {
  const { cache } = new Bench();
  cache.select(1, 0);
  const first = cache.epoch(1);
  t.not(cache.epoch(0), first);
  cache.select(2, 0);
  t.not(cache.epoch(1), first);
  cache.select(1, 0);
  t.is(cache.epoch(1), first);
  cache.forgetFetches();
  const second = cache.epoch(1);
  t.not(second, first);
  cache.forget();
  t.not(cache.epoch(1), second);
});

/** What was filled and not forgotten, by context and virtual page; a TLB may know less. */
class Model {
  readonly reads = new Map<string, number>();
  readonly writes = new Map<string, { readonly value: number; readonly ramPage: number }>();
}

const VIRTUAL_PAGES = [0, 1, 2, 511, 512, 513, 2 ** 20 + 1, 2 ** 27 + 512, -1, -512];

test('whatever is found was filled and not forgotten since (random operations)', (t) => {
  const random = new Random(5);
  const bench = new Bench();
  const { cache } = bench;
  const model = new Model();
  const contexts = [MACHINE_CONTEXT, ...Object.values(DATA_CONTEXTS)];
  let satp = 0;
  let found = 0;
  const key = (context: number, page: number): string =>
    context === MACHINE_CONTEXT ? `m ${page}` : `${satp} ${context} ${page}`;
  const pick = <T>(values: readonly T[]): T => values[random.below(values.length)] as T;
  for (let round = 1; round <= 20_000; round++) {
    const context = pick(contexts);
    const page = pick(VIRTUAL_PAGES);
    const ramPage = random.below(4);
    switch (random.below(10)) {
      case 0:
        satp = random.below(ADDRESS_SPACES + 3);
        cache.select(satp, 0);
        break;
      case 1:
      case 2:
      case 3:
        cache.fillRead(context, at(page), round, 0);
        model.reads.set(key(context, page), round);
        break;
      case 4:
      case 5:
      case 6:
        cache.fillWrite(context, at(page), round, ramPage);
        model.writes.set(key(context, page), { value: round, ramPage });
        break;
      case 7:
        cache.forgetPage(at(page));
        for (const known of [model.reads, model.writes]) {
          for (const name of known.keys()) if (name.endsWith(` ${page}`)) known.delete(name);
        }
        break;
      case 8:
        cache.revokeWrites(ramPage);
        for (const [name, entry] of model.writes) {
          if (entry.ramPage === ramPage) model.writes.delete(name);
        }
        break;
      default:
        if (random.below(20) > 0) break;
        cache.forget();
        model.reads.clear();
        model.writes.clear();
    }
    const read = bench.find(context, page, false);
    const write = bench.find(context, page, true);
    if (read !== null) t.true(read === model.reads.get(key(context, page)));
    if (write !== null) t.true(write === model.writes.get(key(context, page))?.value);
    if (read !== null || write !== null) found++;
  }
  t.true(found > 2_000, `${found} found`);
});

test('where code is fetched from is known in its space and privilege until it is forgotten', (t) => {
  const { cache } = new Bench();
  cache.select(1, 0);
  cache.fillFetch(0, at(9), 0x100);
  t.is(cache.fetchedFrom(0, at(9)), 0x100);
  t.is(cache.fetchedFrom(1, at(9)), null);
  t.is(cache.fetchedFrom(0, at(9 + TLB_ENTRIES)), null);
  cache.select(2, 0);
  t.is(cache.fetchedFrom(0, at(9)), null);
  cache.select(1, 0);
  cache.forgetPage(at(9));
  t.is(cache.fetchedFrom(0, at(9)), null);
});
