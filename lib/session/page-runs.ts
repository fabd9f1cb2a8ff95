/**
 * Pages as bytes: runs of neighbours, each with its first number and how many there are.
 *
 *   first varint, count varint (1 to 256), count * 4096 bytes; then the next run
 *
 * A count of 0 ends a list of runs. A run is at most 1 MiB, so that a reader that is given a file
 * in pieces never waits for more. The reader takes its input as hostile.
 */

import { present } from '../base/assert.js';
import { DecodeError, type ByteReader, type ByteWriter } from '../base/bytes.js';

const PAGE_BYTES = 4096;
const RUN_PAGES = 256;

export type Page = readonly [page: number, bytes: Uint8Array];

/** Writes pages in ascending order, and the end of the list. */
export function writePages(out: ByteWriter, pages: readonly Page[]): void {
  let at = 0;
  while (at < pages.length) {
    const [first] = present(pages[at], 'page');
    let count = 1;
    while (count < RUN_PAGES && pages[at + count]?.[0] === first + count) count++;
    out.varint(first);
    out.varint(count);
    for (const [, bytes] of pages.slice(at, at + count)) out.raw(bytes);
    at += count;
  }
  out.varint(0);
  out.varint(0);
}

/** Reads a list of pages with numbers below `pageCount`; they are views of the input. */
export function readPages(input: ByteReader, pageCount: number): Page[] {
  const pages: Page[] = [];
  let next = 0;
  for (;;) {
    const first = input.count(pageCount, 'page');
    const count = input.count(RUN_PAGES, 'run of pages');
    if (count === 0) return pages;
    if (first < next || first + count > pageCount) {
      throw new DecodeError(`pages ${first} to ${first + count - 1} of ${pageCount}`);
    }
    for (let page = first; page < first + count; page++) pages.push([page, input.raw(PAGE_BYTES)]);
    next = first + count;
  }
}
