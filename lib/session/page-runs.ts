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
export function writePages(out: ByteWriter, pages: Iterable<Page>): void {
  for (const run of runsOf(pages)) writeRun(out, run);
  endRuns(out);
}

/** Neighbours together, at most 256 of them. */
export function* runsOf(pages: Iterable<Page>): Generator<readonly Page[]> {
  let run: Page[] = [];
  for (const page of pages) {
    const last = run.at(-1);
    if (last !== undefined && (last[0] + 1 !== page[0] || run.length === RUN_PAGES)) {
      yield run;
      run = [];
    }
    run.push(page);
  }
  if (run.length > 0) yield run;
}

export function writeRun(out: ByteWriter, run: readonly Page[]): void {
  out.varint(present(run[0], 'first page of a run')[0]);
  out.varint(run.length);
  for (const [, bytes] of run) out.raw(bytes);
}

export function endRuns(out: ByteWriter): void {
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
