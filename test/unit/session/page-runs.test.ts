/**
 * Goal: a list of pages is read as it was written, or refused.
 * Method: round trips of runs, and bytes that are cut and bent.
 */

import test from 'ava';
import { ByteReader, ByteWriter, DecodeError } from '../../../lib/base/bytes.js';
import { readPages, writePages, type Page } from '../../../lib/session/page-runs.js';

const page = (number: number): Page => [number, new Uint8Array(4096).fill(number % 251)];

function written(pages: readonly Page[]): Uint8Array {
  const out = new ByteWriter();
  writePages(out, pages);
  return out.finish();
}

test('pages come back, alone, in runs, and in runs that are too long for one', (t) => {
  for (const numbers of [[], [7], [0, 1, 2, 9], Array.from({ length: 600 }, (_, at) => at + 3)]) {
    const pages = numbers.map(page);
    const input = new ByteReader(written(pages));
    t.deepEqual(readPages(input, 1000), pages);
    t.is(input.remaining, 0);
  }
});

test('pages out of order, out of range or cut short are refused', (t) => {
  const refused = (bytes: Uint8Array, count = 1000): void => {
    t.throws(() => readPages(new ByteReader(bytes), count), { instanceOf: DecodeError });
  };
  refused(written([page(5), page(4)]));
  refused(written([page(5), page(5)]));
  refused(written([page(9)]), 9);
  const whole = written([page(1)]);
  for (const length of [0, 1, 2, 100, whole.length - 1]) refused(whole.subarray(0, length));
});
