/**
 * The guest code that regions are made of, read through the fetch translation of one hart as it
 * stands: which RAM page is at an address, what it holds, and where it was jumped to.
 */

import { decode16, decode32, isCompressed, type Decoded } from '../riscv/decode.js';
import { heatCounter, SLOT_BYTES } from '../riscv/derived.js';
import { OP_UNDECODED } from '../riscv/interpreter/slots.js';
import type { HartInternals } from '../riscv/region-port.js';
import type { MappedPage } from './region-pages.js';
import { REGION_PAGES_MAX } from './region.js';

/** Times that a place was jumped to, which make it worth being an entry; counted with others. */
const TARGET_HEAT_MIN = 64;
const PAGE_HALFWORDS = 2048;

export class RegionSource {
  private readonly hart: HartInternals;
  private readonly admits: (ramPage: number) => boolean;

  /** `admits` says whether code of a RAM page may be compiled. */
  constructor(hart: HartInternals, admits: (ramPage: number) => boolean) {
    this.hart = hart;
    this.admits = admits;
  }

  /**
   * Decodes at `pc` and notes the pages; null where a region must end. It ends at what was never
   * executed, which a slot that nobody decoded shows: a fifth of what can be reached in a boot.
   */
  decode(pc: bigint, pages: MappedPage[]): Decoded | null {
    const page = this.pageOf(pc, pages);
    if (page === null) return null;
    const offset = Number(pc & 0xfffn);
    const { code, memory } = this.hart;
    const slot = code.slotAt(page.ramPage, offset >> 1);
    if (slot < 0 || memory.view.getUint8(slot) === OP_UNDECODED) return null;
    const host = memory.hostOfPage(page.ramPage) + offset;
    const half = memory.view.getUint16(host, true);
    if (isCompressed(half)) return decode16(half);
    const upper = offset === 4094 ? this.halfAt(pc + 2n, pages) : host + 2;
    if (upper === null) return null;
    return decode32((half | (memory.view.getUint16(upper, true) << 16)) >>> 0);
  }

  /** Where the halfword at the start of a page is: the end of an instruction on two pages. */
  private halfAt(pc: bigint, pages: MappedPage[]): number | null {
    const page = this.pageOf(BigInt.asUintN(64, pc), pages);
    return page === null ? null : this.hart.memory.hostOfPage(page.ramPage);
  }

  /** The page at `pc`, added to `pages` if it is new; null if a region may hold none of it. */
  pageOf(pc: bigint, pages: MappedPage[]): MappedPage | null {
    const virtualLow = Number(pc & 0xfffff000n) | 0;
    const virtualHigh = Number((pc >> 32n) & 0xffffffffn) | 0;
    const known = pages.find(
      (page) => page.virtualLow === virtualLow && page.virtualHigh === virtualHigh,
    );
    if (known !== undefined) return known;
    if (pages.length === REGION_PAGES_MAX) return null;
    const { rights } = this.hart;
    const ramPage = rights.peek(() => {
      const found = this.ramPageAt(virtualLow, virtualHigh);
      return found >= 0 && rights.read(found) ? found : -1;
    });
    if (ramPage < 0 || !this.admits(ramPage)) return null;
    const page = { virtualLow, virtualHigh, ramPage };
    pages.push(page);
    return page;
  }

  /**
   * Whether a page is mapped as it was. The fetch TLB mostly knows, and is told where it does not:
   * a switch of address spaces makes every region that comes after it ask.
   */
  isMapped({ virtualLow, virtualHigh, ramPage }: MappedPage): boolean {
    const { code, mmu, rights } = this.hart;
    const slots = code.slotAt(ramPage, 0);
    const known = mmu.fetchedFrom(virtualLow, virtualHigh);
    if (known !== null) return known === slots;
    return rights.peek(() => {
      if (this.ramPageAt(virtualLow, virtualHigh) !== ramPage) return false;
      if (slots >= 0 && rights.read(ramPage)) mmu.fillFetch(virtualLow, virtualHigh, slots);
      return true;
    });
  }

  /** Places of a page that were executed, and jumped to often. */
  jumpTargets(page: MappedPage): readonly bigint[] {
    const { code, memory, addresses } = this.hart;
    const base = (BigInt(page.virtualHigh) << 32n) | BigInt(page.virtualLow >>> 0);
    const first = code.slotAt(page.ramPage, 0);
    if (first < 0) return [];
    const targets: bigint[] = [];
    for (let halfword = 0; halfword < PAGE_HALFWORDS; halfword++) {
      const slot = first + halfword * SLOT_BYTES;
      const heat = memory.view.getUint16(addresses.heat + heatCounter(slot), true);
      if (heat < TARGET_HEAT_MIN || memory.view.getUint8(slot) === OP_UNDECODED) continue;
      targets.push(BigInt.asUintN(64, base + BigInt(halfword * 2)));
    }
    return targets;
  }

  /** RAM page of the code at a virtual page, or -1 outside RAM. */
  private ramPageAt(virtualLow: number, virtualHigh: number): number {
    const { memory, mmu } = this.hart;
    const page = mmu.translate(virtualLow, virtualHigh, 'fetch');
    const physical = page * 4096;
    if (page < 0 || !memory.inRam(physical, 4096)) return -1;
    return memory.pageOfHost(memory.hostOf(physical));
  }
}
