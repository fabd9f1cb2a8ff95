/**
 * Page tables for guest programs of tests (privileged specification, section 12.4): built outside
 * the machine, put into its RAM with the program.
 */

import { PAGE, type Memory, type Words } from './program.js';

/** Bits of a page table entry. */
export const PTE = { V: 1, R: 2, W: 4, X: 8, U: 16, G: 32, A: 64, D: 128 } as const;
/** A leaf that S mode may read, write and execute. */
export const SUPERVISOR_PAGE = PTE.V | PTE.R | PTE.W | PTE.X | PTE.A | PTE.D;
export const USER_PAGE = SUPERVISOR_PAGE | PTE.U;

const TABLES_MAX = 32;

export class PageTables {
  readonly mode: 'sv39' | 'sv48';
  private readonly base: number;
  private readonly bytes = new Uint8Array(TABLES_MAX * PAGE);
  private readonly view = new DataView(this.bytes.buffer);
  private used = 1;

  /** Tables lie at `base` and above. */
  constructor(mode: 'sv39' | 'sv48' = 'sv39', base = 0x8010_0000) {
    this.mode = mode;
    this.base = base;
  }

  get levels(): number {
    return this.mode === 'sv39' ? 3 : 4;
  }

  get satp(): bigint {
    return (this.mode === 'sv39' ? 8n << 60n : 9n << 60n) | BigInt(this.base / PAGE);
  }

  memory(): Memory {
    return [[this.base, this.bytes.subarray(0, this.used * PAGE)]];
  }

  words(): Words {
    return { satp: this.satp };
  }

  /** Maps the page (or superpage of `level`) of `virtual`; returns the address of the entry. */
  map(virtual: bigint, physical: bigint, flags: number = SUPERVISOR_PAGE, level = 0): number {
    const at = this.entryAt(virtual, level);
    this.set(at, ((physical >> 12n) << 10n) | BigInt(flags));
    return at;
  }

  /** Maps `count` pages from equal virtual and physical addresses. */
  mapSame(address: number, count: number, flags: number = SUPERVISOR_PAGE): this {
    for (let index = 0; index < count; index++) {
      const page = BigInt(address + index * PAGE);
      this.map(page, page, flags);
    }
    return this;
  }

  /** Address of the entry of `level` for `virtual`, making the tables above it. */
  entryAt(virtual: bigint, level: number): number {
    let table = this.base;
    for (let depth = this.levels - 1; ; depth--) {
      const number = Number((virtual >> BigInt(12 + 9 * depth)) & 0x1ffn);
      const at = table + number * 8;
      if (depth === level) return at;
      const entry = this.view.getBigUint64(at - this.base, true);
      if (entry === 0n) {
        table = this.base + this.used++ * PAGE;
        if (this.used > TABLES_MAX) throw new Error('too many page tables');
        this.set(at, (BigInt(table / PAGE) << 10n) | BigInt(PTE.V));
      } else {
        table = Number(entry >> 10n) * PAGE;
      }
    }
  }

  /** Writes any entry. */
  set(at: number, entry: bigint): void {
    this.view.setBigUint64(at - this.base, entry, true);
  }
}
