/**
 * Physical memory protection (privileged specification, section 3.7), with a granularity of one
 * page (G = 10), so that the result for a page can be kept in a TLB entry.
 */

import { PMP_ENTRIES, PMPADDR_WORD, PMPCFG_WORD } from './hart-state.js';
import type { HartMemory } from './hart-memory.js';

export type Access = 'read' | 'write' | 'fetch';

const LOCK = 0x80;
const MODE_TOR = 1;
const MODE_NA4 = 2;
const MODE_NAPOT = 3;
/** Bits of pmpaddr below the granularity. */
const GRAIN_LOW = (1n << 10n) - 1n;
const PMPADDR_MASK = (1n << 54n) - 1n;

interface Region {
  /** Physical page numbers, half open. */
  readonly first: number;
  readonly end: number;
  readonly permissions: number;
}

export class Pmp {
  private readonly memory: HartMemory;
  private regions: readonly Region[] = [];

  constructor(memory: HartMemory) {
    this.memory = memory;
    this.rebuild();
  }

  /** Whether a page may be accessed at a privilege (0 U, 1 S, 3 M). */
  allows(physicalPage: number, access: Access, privilege: number): boolean {
    for (const region of this.regions) {
      if (physicalPage < region.first || physicalPage >= region.end) continue;
      if (privilege === 3 && (region.permissions & LOCK) === 0) return true;
      const needed = access === 'read' ? 1 : access === 'write' ? 2 : 4;
      return (region.permissions & needed) !== 0;
    }
    return privilege === 3;
  }

  readConfig(index: number): bigint {
    return this.memory.block.get(PMPCFG_WORD + (index >> 1));
  }

  readAddress(index: number): bigint {
    const value = this.memory.block.get(PMPADDR_WORD + index);
    const napot = ((this.config(index) >> 3) & 2) !== 0;
    return napot ? value | (GRAIN_LOW >> 1n) : value & ~GRAIN_LOW;
  }

  /** Writes pmpcfg0 or pmpcfg2: eight entries; locked ones keep their value. */
  writeConfig(index: number, value: bigint): void {
    let result = 0n;
    for (let byte = 0; byte < 8; byte++) {
      const entry = (index >> 1) * 8 + byte;
      const old = this.config(entry);
      let next = Number((value >> BigInt(byte * 8)) & 0xffn) & 0x9f;
      // W without R is reserved; four-byte regions are not selectable at this granularity.
      if ((next & 3) === 2) next &= ~3;
      if (((next >> 3) & 3) === MODE_NA4) next &= ~0x18;
      if ((old & LOCK) !== 0) next = old;
      result |= BigInt(next) << BigInt(byte * 8);
    }
    this.memory.block.set(PMPCFG_WORD + (index >> 1), result);
    this.rebuild();
  }

  writeAddress(index: number, value: bigint): void {
    const next = index + 1 < PMP_ENTRIES ? this.config(index + 1) : 0;
    const lockedByNext = (next & LOCK) !== 0 && ((next >> 3) & 3) === MODE_TOR;
    if ((this.config(index) & LOCK) !== 0 || lockedByNext) return;
    this.memory.block.set(PMPADDR_WORD + index, value & PMPADDR_MASK);
    this.rebuild();
  }

  /** Derives the regions from the registers; also after a restore. */
  rebuild(): void {
    const regions: Region[] = [];
    for (let index = 0; index < PMP_ENTRIES; index++) {
      const config = this.config(index);
      const mode = (config >> 3) & 3;
      if (mode === MODE_TOR) regions.push(this.topOfRange(index, config));
      else if (mode === MODE_NAPOT) regions.push(this.powerOfTwo(index, config));
    }
    this.regions = regions;
  }

  private config(index: number): number {
    const word = this.memory.block.get(PMPCFG_WORD + (index >> 3));
    return Number((word >> BigInt((index & 7) * 8)) & 0xffn);
  }

  private pageOf(index: number): number {
    return Number(this.memory.block.get(PMPADDR_WORD + index) >> 10n);
  }

  private topOfRange(index: number, permissions: number): Region {
    return {
      first: index === 0 ? 0 : this.pageOf(index - 1),
      end: this.pageOf(index),
      permissions,
    };
  }

  private powerOfTwo(index: number, permissions: number): Region {
    const address = this.readAddress(index);
    // Trailing ones give the size: k ones cover 2^(k+3) bytes, here at least a page (k >= 9).
    let ones = 0n;
    while (ones < 54n && ((address >> ones) & 1n) === 1n) ones++;
    const pages = 2 ** (Number(ones) + 3 - 12);
    const first = Number((address & ~((1n << ones) - 1n)) >> 10n);
    return { first, end: first + pages, permissions };
  }
}
