/**
 * A copy of a machine's pages while it runs: the source's half of iterative pre-copy.
 *
 *   begin --> next, next, ... --> round --> next, ... --> round --> ... --> finish
 *             (every page)        (pages written since the last round began)
 *
 * The checks of the log say which pages were written, so nothing watches the guest a second time:
 * a round begins with a check of pages, and every check until the next round adds to what that
 * round must copy again. A page may be copied at any time within its round, since a later write
 * makes it due in the next.
 *
 * Invariant: a page that is neither due nor written since the last check has been copied as it is.
 */

import { ByteWriter } from '../base/bytes.js';
import type { Machine } from '../machine/machine.js';
import { writePages, type Page } from './page-runs.js';

const PAGE_BYTES = 4096;
/** Pages looked at in one portion: looking takes time of the guest's, even if they are empty. */
const EXAMINED_PAGES = 2048;
const COPIED_PAGES = 256;

/** What whoever drives a copy asks for, in the order above. */
export type CopyStep = 'begin' | 'next' | 'round' | 'abandon';

/** The answer to a step. */
export interface CopyPart {
  /** A list of pages in the form of `page-runs.ts`; empty where nothing was due. */
  readonly bytes: Uint8Array;
  /** Pages in `bytes`. */
  readonly pages: number;
  /** Pages that are due in this round. */
  readonly left: number;
}

export class PageCopy {
  private readonly machine: Machine;
  /** Pages due in this round, ascending, from `at` on; null for every page. */
  private due: readonly number[] | null = null;
  private at = 0;
  private written = new Set<number>();

  constructor(machine: Machine) {
    this.machine = machine;
  }

  /** These pages were written before the check that says so. */
  note(pages: readonly (readonly [page: number, hash: bigint])[]): void {
    for (const [page] of pages) this.written.add(page);
  }

  /** Carries out a step; `round` comes right after a check of pages. */
  take(step: CopyStep): CopyPart {
    if (step === 'round') this.beginRound();
    if (step === 'next') return this.next();
    return { bytes: new Uint8Array(0), pages: 0, left: this.left() };
  }

  private beginRound(): void {
    this.due = this.leftPages();
    this.at = 0;
    this.written = new Set();
  }

  /** Copies a portion of what is due. */
  private next(): CopyPart {
    const pages: Page[] = [];
    const end = Math.min(this.at + EXAMINED_PAGES, this.due?.length ?? this.machine.pageCount);
    while (this.at < end && pages.length < COPIED_PAGES) {
      const page = this.due === null ? this.at : (this.due[this.at] ?? 0);
      this.at += 1;
      const bytes = this.machine.savePage(page);
      // A page that nobody has written is empty there too; one that became empty has to be sent.
      if (bytes !== null) pages.push([page, bytes]);
      else if (this.due !== null) pages.push([page, new Uint8Array(PAGE_BYTES)]);
    }
    const out = new ByteWriter(pages.length * (PAGE_BYTES + 8) + 16);
    if (pages.length > 0) writePages(out, pages);
    return { bytes: out.finish(), pages: pages.length, left: this.left() };
  }

  private left(): number {
    return (this.due?.length ?? this.machine.pageCount) - this.at;
  }

  /** Everything that was not copied as it is, right after a check of pages. */
  finish(): Page[] {
    return this.leftPages().map((page) => [
      page,
      this.machine.savePage(page) ?? new Uint8Array(PAGE_BYTES),
    ]);
  }

  /** Pages of this round that are not copied, and those written since it began. */
  private leftPages(): number[] {
    const { machine, due, at } = this;
    const rest =
      due === null
        ? Array.from({ length: machine.pageCount - at }, (_, index) => at + index)
        : due.slice(at);
    return [...new Set([...rest, ...this.written])].sort((a, b) => a - b);
  }
}
