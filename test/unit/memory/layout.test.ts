/**
 * Goal: regions of the machine's memory do not overlap, have the alignment they need, and are
 * described by the text that the machine digest covers.
 * Method: plans of odd shapes, checked against each other.
 */

import test from 'ava';
import { PAGE_BYTES, WASM_PAGE_BYTES, planLayout } from '../../../lib/memory/layout.js';

const BLOCKS = [
  { name: 'a', fields: ['x', ['y', 3]] },
  { name: 'b', fields: ['z'] },
] as const;
const DERIVED = [
  { name: 'cache', bytes: 100 },
  { name: 'flags', bytes: 1 },
];
const plan = (ramBytes = WASM_PAGE_BYTES) =>
  planLayout({ ramBytes, blocks: BLOCKS, derived: DERIVED });

test('words, derived state and RAM follow each other without overlap', (t) => {
  const layout = plan();
  t.is(layout.wordsStart, PAGE_BYTES, 'address 0 hits nothing');
  t.is(layout.offsetOf('a'), PAGE_BYTES);
  t.is(layout.offsetOf('b'), PAGE_BYTES + 4 * 8);
  t.is(layout.wordsEnd, PAGE_BYTES + 5 * 8);
  t.true(layout.offsetOf('cache') >= layout.wordsEnd);
  t.true(layout.offsetOf('flags') >= layout.offsetOf('cache') + 100);
  t.true(layout.ramOffset > layout.offsetOf('flags'));
  t.is(layout.totalBytes, layout.ramOffset + WASM_PAGE_BYTES);
});

test('derived regions start on cache lines, RAM on a page of WebAssembly', (t) => {
  const layout = plan();
  t.is(layout.offsetOf('cache') % 64, 0);
  t.is(layout.offsetOf('flags') % 64, 0);
  t.is(layout.ramOffset % WASM_PAGE_BYTES, 0);
  t.is(layout.totalBytes % WASM_PAGE_BYTES, 0);
});

test('the description changes with every word, and not with derived state', (t) => {
  const { description } = plan();
  t.not(plan(2 * WASM_PAGE_BYTES).description, description);
  const renamed = [{ name: 'a', fields: ['x', ['y', 4]] }, BLOCKS[1]] as const;
  const other = planLayout({ ramBytes: WASM_PAGE_BYTES, blocks: renamed, derived: DERIVED });
  t.not(other.description, description);
  const bare = planLayout({ ramBytes: WASM_PAGE_BYTES, blocks: BLOCKS, derived: [] });
  t.is(bare.description, description);
});

test('two regions of one name, and RAM of an odd size, are broken invariants', (t) => {
  const twice = { ramBytes: WASM_PAGE_BYTES, blocks: BLOCKS, derived: [{ name: 'a', bytes: 1 }] };
  t.throws(() => planLayout(twice), { name: 'AssertionError' });
  t.throws(() => planLayout({ ...twice, blocks: [BLOCKS[0], BLOCKS[0]] }), { message: /named a/ });
  t.throws(() => plan(1000), { message: /uneven/ });
  t.throws(() => plan().offsetOf('nowhere'), { message: 'missing: region nowhere' });
});
