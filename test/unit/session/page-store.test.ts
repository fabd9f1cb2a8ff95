/**
 * Goal: of each page the newest copy is kept, and nothing else of what brought it.
 */

import test from 'ava';
import { PageStore, storedPages } from '../../../lib/session/page-store.js';

const filled = (value: number): Uint8Array => new Uint8Array(4096).fill(value);

test('the newest copy of each page is given, whatever came before', (t) => {
  const store = new PageStore();
  for (let round = 1; round <= 3; round++) {
    for (let page = 0; page < 600; page += round) store.put(page * 7, filled(round + page));
  }
  t.is(store.bytes, 600 * 4096);
  const pages = new Map(storedPages(store.stored()));
  t.is(pages.size, 600);
  for (let page = 0; page < 600; page++) {
    const round = page % 3 === 0 ? 3 : page % 2 === 0 ? 2 : 1;
    t.deepEqual(pages.get(page * 7), filled(round + page));
  }
});

test('what was put may change afterwards, and threads share what is given', (t) => {
  const store = new PageStore();
  const bytes = filled(1);
  store.put(5, bytes);
  bytes.fill(2);
  const stored = store.stored();
  t.deepEqual([...storedPages(structuredClone(stored))], [[5, filled(1)]]);
  t.true(stored.slabs.every(({ buffer }) => buffer instanceof SharedArrayBuffer));
});
