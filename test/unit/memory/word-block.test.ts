/**
 * Goal: a block gives words by index and name, and names every one of them once.
 * Method: a small block in a larger buffer, seen through all its views.
 */

import test from 'ava';
import { WordBlock, wordCount, type WordBlockSpec } from '../../../lib/memory/word-block.js';

const SPEC: WordBlockSpec = { name: 'uart', fields: ['status', ['fifo', 3], 'count'] };

const block = (buffer = new SharedArrayBuffer(128)): WordBlock => new WordBlock(SPEC, buffer, 16);

test('fields follow each other in the order given', (t) => {
  t.is(wordCount(SPEC), 5);
  t.deepEqual(
    ['status', 'fifo', 'count'].map((field) => block().index(field)),
    [0, 1, 4],
  );
  t.throws(() => block().index('other'), { message: 'block uart has no field other' });
});

test('every word has one name', (t) => {
  const names = Array.from({ length: 5 }, (_, index) => block().nameOf(index));
  t.deepEqual(names, ['uart.status', 'uart.fifo[0]', 'uart.fifo[1]', 'uart.fifo[2]', 'uart.count']);
  t.is(block().nameOf(5), 'uart.?5');
});

test('words, halves and bytes are views of one memory, low half first', (t) => {
  const buffer = new SharedArrayBuffer(128);
  const one = block(buffer);
  one.set(1, 0x1122_3344_5566_7788n);
  t.deepEqual([one.halves[2], one.halves[3]], [0x5566_7788, 0x1122_3344]);
  t.is(one.bytes[8], 0x88);
  t.is(new DataView(buffer).getBigUint64(16 + 8, true), 0x1122_3344_5566_7788n);
  t.is(block(buffer).get(1), 0x1122_3344_5566_7788n);
  one.set(0, -1n);
  t.is(one.get(0), (1n << 64n) - 1n);
});

test('a word outside the block, or a block off the grid, is a broken invariant', (t) => {
  t.throws(() => block().get(5), { name: 'AssertionError' });
  t.throws(() => block().set(5, 0n), { name: 'AssertionError' });
  t.throws(() => block().set(-1, 0n), { name: 'AssertionError' });
  t.throws(() => new WordBlock(SPEC, new SharedArrayBuffer(128), 12), {
    message: /not word aligned/,
  });
});
