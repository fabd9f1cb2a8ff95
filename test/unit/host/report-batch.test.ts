/**
 * Goal: a batch counts what it holds, and gives it once.
 * Method: batches filled and taken by hand.
 */

import test from 'ava';
import { ReportBatch } from '../../../lib/host/report-batch.js';

const NOTHING = { entries: [], outputs: [], inputs: [] };

test('a batch without content is empty and costs nothing', (t) => {
  const batch = new ReportBatch();
  batch.add(NOTHING);
  t.true(batch.isEmpty());
  t.is(batch.costBytes, 0);
});

test('payload is counted byte by byte, pages and words too', (t) => {
  const batch = new ReportBatch();
  const bytes = new Uint8Array(1000);
  batch.add({ ...NOTHING, outputs: [{ seq: 1n, stream: 'uart', offset: 0n, bytes }] });
  const output = batch.costBytes;
  t.true(output >= 1000);
  const pages = Array.from({ length: 100 }, (_, page) => [page, 1n] as const);
  const event = { kind: 'state-hash', hart: 0, step: 1n, hash: 1n, words: [], pages } as const;
  batch.add({ ...NOTHING, entries: [{ seq: 2n, event }] });
  t.true(batch.costBytes - output >= 1600);
});

test('output and acknowledgements are urgent, entries alone are not', (t) => {
  const batch = new ReportBatch();
  batch.add({ ...NOTHING, entries: [{ seq: 1n, event: { kind: 'epoch', epoch: 1n } }] });
  t.false(batch.isUrgent());
  batch.add({ ...NOTHING, inputs: [{ client: 1n, sequence: 1n, seq: 1n }] });
  t.true(batch.isUrgent());
});

test('what is taken is gone, in the order it came', (t) => {
  const batch = new ReportBatch();
  const first = { seq: 1n, event: { kind: 'epoch', epoch: 1n } } as const;
  const second = { seq: 2n, event: { kind: 'horizon', steps: [1n] } } as const;
  batch.add({ ...NOTHING, entries: [first] });
  batch.add({ ...NOTHING, entries: [second] });
  t.deepEqual(batch.take().entries, [first, second]);
  t.true(batch.isEmpty());
  t.deepEqual(batch.take().entries, []);
});
