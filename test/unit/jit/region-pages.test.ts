/**
 * Goal: a store costs the regions whose code it touches, and a page is never lost to the compiler.
 * Method: regions of small programs, stores to every halfword of their page, and rewriting without
 * end.
 */

import test from 'ava';
import { RegionPages, STEPS_PER_DROP, type MappedPage } from '../../../lib/jit/region-pages.js';
import { regionOf } from '../../support/region.js';

const PAGE: MappedPage = { virtualLow: 0x8000_0000 | 0, virtualHigh: 0, ramPage: 7 };
const ALIAS: MappedPage = { virtualLow: 0x1000, virtualHigh: 0, ramPage: 7 };
/** Four bytes of code at the start of the page, four left out, four of code. */
const CODE = 'j behind\n  .word 0\nbehind:\n  ret';

function inUse(pages: readonly MappedPage[] = [PAGE], step: () => number = () => 0) {
  const kept = new RegionPages<{ readonly pages: readonly MappedPage[] }>(step);
  const live = { pages };
  kept.add(live, regionOf(CODE));
  return { kept, live };
}

test('stores to the code of a region touch it, stores beside it do not', (t) => {
  const { kept, live } = inUse();
  for (let halfword = 0; halfword < 2048; halfword++) {
    const isCode = halfword < 2 || (halfword >= 4 && halfword < 6);
    const { lost } = kept.store(7, halfword, halfword);
    t.deepEqual(lost, isCode ? [live] : [], `halfword ${halfword}`);
  }
  t.deepEqual(kept.store(7, 3, 4).lost, [live], 'a store that begins before the code');
  t.deepEqual(kept.store(8, 0, 2047), { lost: [], inUse: false }, 'another page');
});

test('a region is found by any halfword of its code', (t) => {
  const { kept, live } = inUse();
  t.deepEqual(kept.at(7, 0), [live]);
  t.deepEqual(kept.at(7, 2), []);
  t.deepEqual(kept.at(7, 5), [live]);
  t.deepEqual(kept.at(8, 0), []);
});

test('a region is told of by every virtual page, until it is removed', (t) => {
  const { kept, live } = inUse([PAGE, ALIAS]);
  t.true(kept.covers({ low: 0x8000_0123 | 0, high: 0 }));
  t.true(kept.covers({ low: 0x1ff0, high: 0 }));
  t.false(kept.covers({ low: 0x2000, high: 0 }));
  kept.remove(live);
  t.false(kept.covers({ low: 0x8000_0123 | 0, high: 0 }));
  t.deepEqual(kept.store(7, 0, 0), { lost: [], inUse: false });
});

test('a page that is mostly stored to gives its regions up in the end', (t) => {
  const { kept, live } = inUse();
  let stores = 1;
  while (kept.store(7, 100, 103).lost.length === 0) stores++;
  t.true(stores > 1000 && stores < 2 ** 20, `${stores} stores`);
  kept.remove(live);
  t.true(kept.admits(7), 'data beside code is no reason to leave the code to the interpreter');
});

test('a page that is rewritten without end is tried ever more rarely, and never given up', (t) => {
  const { kept, live } = inUse();
  let compiled = 0;
  const attempts = 100_000;
  for (let attempt = 0; attempt < attempts; attempt++) {
    if (!kept.admits(7)) continue;
    compiled++;
    kept.add(live, regionOf(CODE));
    t.deepEqual(kept.store(7, 0, 0).lost, [live]);
    kept.remove(live);
  }
  t.true(compiled > 50 && compiled < 200, `${compiled} times`);
});

/** How often code is compiled that is rewritten whenever it was, or was to be. */
function compiledOf(attempts: number, stepsApart: number): number {
  let step = 0;
  let compiled = 0;
  const { kept, live } = inUse([PAGE], () => step);
  for (let attempt = 0; attempt < attempts; attempt++) {
    step += stepsApart;
    if (!kept.admits(7)) continue;
    compiled++;
    kept.add(live, regionOf(CODE));
    kept.store(7, 0, 0);
    kept.remove(live);
  }
  return compiled;
}

test('a page that gets new code now and then is compiled each time', (t) => {
  t.is(compiledOf(10_000, STEPS_PER_DROP), 10_000);
});

test('compiling a page that is rewritten all the time takes a bounded share of the steps', (t) => {
  const attempts = 100_000;
  const stepsApart = STEPS_PER_DROP / 200;
  const compiled = compiledOf(attempts, stepsApart);
  const forgiven = (attempts * stepsApart) / STEPS_PER_DROP;
  t.true(compiled > 50 && compiled < forgiven + 200, `${compiled} times`);
});
