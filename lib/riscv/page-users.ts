/**
 * By RAM page, the virtual pages that have an entry in a TLB: a few by name, or "many".
 */

/** Both halves of a virtual address, each as a signed 32-bit number. */
export interface VirtualAddress {
  readonly low: number;
  readonly high: number;
}

/** Virtual pages known of a RAM page. */
const PLACES = 2;
/** Neither is a page number, which may be negative. */
const NOBODY = Infinity;
/** In the first place: more virtual pages than are known. */
const MANY = -Infinity;

export class PageUsers {
  private readonly pages: Float64Array;
  /** RAM pages that have an entry. */
  private used: number[] = [];

  constructor(ramPages: number) {
    this.pages = new Float64Array(ramPages * PLACES).fill(NOBODY);
  }

  note(ramPage: number, { low, high }: VirtualAddress): void {
    const { pages } = this;
    const first = ramPage * PLACES;
    const virtualPage = high * 2 ** 20 + (low >>> 12);
    for (let place = 0; place < PLACES; place++) {
      const known = pages[first + place];
      if (known === virtualPage || known === MANY) return;
      if (known === NOBODY) {
        pages[first + place] = virtualPage;
        this.used.push(ramPage);
        return;
      }
    }
    pages[first] = MANY;
  }

  /** Those of one page, which are forgotten; null if they are too many to know. */
  take(ramPage: number): readonly VirtualAddress[] | null {
    const first = ramPage * PLACES;
    const users: VirtualAddress[] = [];
    for (let place = 0; place < PLACES; place++) {
      const virtualPage = this.pages[first + place] ?? NOBODY;
      if (virtualPage === MANY) return null;
      if (virtualPage === NOBODY) break;
      const high = Math.floor(virtualPage / 2 ** 20);
      users.push({ low: (virtualPage - high * 2 ** 20) << 12, high });
      this.pages[first + place] = NOBODY;
    }
    return users;
  }

  clear(): void {
    for (const page of this.used) this.pages.fill(NOBODY, page * PLACES, (page + 1) * PLACES);
    this.used = [];
  }
}
