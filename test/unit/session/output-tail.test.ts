/**
 * Goal: nothing that was not released is dropped, and memory is bounded all the same.
 */

import test from 'ava';
import { HISTORY_BYTES, MAX_TAIL_BYTES, OutputTail } from '../../../lib/session/output-tail.js';

const PIECE = 64 * 1024;

function filled(offset: bigint, pieces: number): OutputTail {
  const tail = new OutputTail(offset);
  for (let piece = 0; piece < pieces; piece++) tail.add(new Uint8Array(PIECE).fill(piece));
  return tail;
}

test('output that was not released is kept', (t) => {
  const tail = filled(100n, 64);
  const { offset, bytes } = tail.from(0n);
  t.is(offset, 100n);
  t.is(bytes.length, 64 * PIECE);
});

test('after a release some history is kept, and the rest is dropped', (t) => {
  const tail = filled(0n, 64);
  tail.release(BigInt(64 * PIECE));
  const { offset, bytes } = tail.from(0n);
  t.is(bytes.length, HISTORY_BYTES);
  t.is(offset, BigInt(64 * PIECE - HISTORY_BYTES));
  t.is(bytes[0], 48);
});

test('a release never goes back', (t) => {
  const tail = filled(0n, 64);
  tail.release(BigInt(64 * PIECE));
  tail.release(0n);
  t.is(tail.from(0n).bytes.length, HISTORY_BYTES);
});

test('what is never released is bounded', (t) => {
  const tail = filled(0n, 300);
  const { offset, bytes } = tail.from(0n);
  t.is(bytes.length, MAX_TAIL_BYTES);
  t.is(offset, BigInt(300 * PIECE - MAX_TAIL_BYTES));
});

test('bytes are given from where they are asked for, and none beyond the end', (t) => {
  const tail = new OutputTail(10n);
  tail.add(Uint8Array.of(1, 2, 3));
  tail.add(Uint8Array.of(4));
  t.deepEqual(tail.from(12n), { offset: 12n, bytes: Uint8Array.of(3, 4), released: 10n });
  t.deepEqual(tail.from(14n), { offset: 14n, bytes: new Uint8Array(0), released: 10n });
  t.deepEqual(tail.from(99n), { offset: 14n, bytes: new Uint8Array(0), released: 10n });
});

test('many small pieces are given in order', (t) => {
  const tail = new OutputTail(0n);
  const count = HISTORY_BYTES + 5000;
  for (let byte = 0; byte < count; byte++) {
    tail.add(Uint8Array.of(byte & 0xff));
    tail.release(BigInt(byte));
  }
  const { offset, bytes } = tail.from(0n);
  t.true(offset > 0n);
  t.true(bytes.every((byte, index) => byte === ((Number(offset) + index) & 0xff)));
});
