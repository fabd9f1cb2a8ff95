/**
 * Pages of a machine that arrive one after the other, each perhaps several times: the newest copy
 * of each is kept, in pieces of 1 MiB that threads can share.
 */

import { present } from '../base/assert.js';
import type { Page } from './page-runs.js';

const PAGE_BYTES = 4096;
const SLAB_PAGES = 256;

/** Plain data, for another thread: the numbers of the pages in the order of the slabs. */
export interface StoredPages {
  readonly numbers: Uint32Array;
  readonly slabs: readonly Uint8Array[];
}

export class PageStore {
  /** Place of each page. */
  private readonly places = new Map<number, number>();
  private readonly slabs: Uint8Array[] = [];

  /** Size of the pages kept. */
  get bytes(): number {
    return this.places.size * PAGE_BYTES;
  }

  /** Keeps a copy of 4096 bytes as the page `page`, below 2^32. */
  put(page: number, bytes: Uint8Array): void {
    let place = this.places.get(page);
    if (place === undefined) {
      place = this.places.size;
      this.places.set(page, place);
      if (place % SLAB_PAGES === 0) {
        this.slabs.push(new Uint8Array(new SharedArrayBuffer(SLAB_PAGES * PAGE_BYTES)));
      }
    }
    pageAt(this.slabs, place).set(bytes);
  }

  stored(): StoredPages {
    return { numbers: Uint32Array.from(this.places.keys()), slabs: this.slabs };
  }
}

/** The pages, as views. */
export function* storedPages({ numbers, slabs }: StoredPages): Generator<Page> {
  for (const [place, page] of numbers.entries()) yield [page, pageAt(slabs, place)];
}

function pageAt(slabs: readonly Uint8Array[], place: number): Uint8Array {
  const slab = present(slabs[Math.floor(place / SLAB_PAGES)], 'slab of a page');
  const at = (place % SLAB_PAGES) * PAGE_BYTES;
  return slab.subarray(at, at + PAGE_BYTES);
}
