/**
 * What a block runs in besides its registers: privilege, address translation, and the bits of
 * mstatus that change what loads and floating-point instructions may do.
 *
 * With translation, code is mapped where it lies by superpages of 2 MiB, and the two pages of the
 * scratch area get permissions of their own, so that accesses to either, or across both, may
 * fault. Accessed and dirty bits are preset: Lockstep is Svade, QEMU 7.2 sets them itself.
 */

import { SCRATCH_BYTES, SCRATCH_MIDDLE } from './context.js';
import { Random } from './random.js';

export type Translation = 'bare' | 'sv39' | 'sv48';

export interface Environment {
  /** As in mstatus.MPP. */
  readonly privilege: number;
  readonly translation: Translation;
  /** Bits of mstatus besides MPP. */
  readonly mstatus: number;
  /** Permission bits of the lower and the upper page of the scratch area. */
  readonly pages: readonly [number, number];
}

const USER = 0;
const SUPERVISOR = 1;
export const MACHINE = 3;

const MSTATUS_FS_DIRTY = 3 << 13;
const MSTATUS_MPRV = 1 << 17;
const MSTATUS_SUM = 1 << 18;
const MSTATUS_MXR = 1 << 19;

const PTE_VALID = 1;
const PTE_READ = 2;
const PTE_WRITE = 4;
const PTE_EXECUTE = 8;
const PTE_USER = 16;
const PTE_ACCESSED = 64;
const PTE_DIRTY = 128;
const READ_WRITE = PTE_READ | PTE_WRITE;

export const PAGE_BYTES = 0x1000;
const ENTRIES = 512;
const SUPERPAGE_BYTES = 0x20_0000;
const RAM = 0x8000_0000;
/** Memory that is mapped: as much as the test machines have. */
const RAM_BYTES = 64 * 2 ** 20;
/** Code must lie above this, where superpages map it; below are the program and its tables. */
export const MAPPED_CODE_ADDRESS = RAM + SUPERPAGE_BYTES;

export const PLAIN: Environment = {
  privilege: MACHINE,
  translation: 'bare',
  mstatus: MSTATUS_FS_DIRTY,
  pages: [0, 0],
};

/** User mode with nothing mapped but code, and the scratch area for reading and writing. */
export const CONFINED: Environment = {
  privilege: USER,
  translation: 'sv39',
  mstatus: MSTATUS_FS_DIRTY,
  pages: [PTE_VALID | READ_WRITE | PTE_USER, PTE_VALID | READ_WRITE | PTE_USER],
};

export function randomEnvironment(seed: number): Environment {
  const random = new Random(seed ^ 0x5eed);
  const usesMprv = random.oneIn(6);
  const privilege = usesMprv ? MACHINE : random.pick([USER, USER, SUPERVISOR, SUPERVISOR]);
  let mstatus = random.oneIn(8) ? 0 : MSTATUS_FS_DIRTY;
  if (usesMprv) mstatus |= MSTATUS_MPRV;
  if (random.oneIn(2)) mstatus |= MSTATUS_SUM;
  if (random.oneIn(2)) mstatus |= MSTATUS_MXR;
  const translation = random.pick<Translation>(['sv39', 'sv39', 'sv48', 'sv48', 'bare']);
  return { privilege, translation, mstatus, pages: [randomPage(random), randomPage(random)] };
}

/** Mostly readable and writable, sometimes less; user pages and others alike. */
function randomPage(random: Random): number {
  const kinds = [READ_WRITE, READ_WRITE, READ_WRITE, PTE_READ, PTE_EXECUTE, PTE_READ | PTE_EXECUTE];
  const permissions = random.oneIn(10) ? 0 : random.pick(kinds);
  const valid = random.oneIn(12) ? 0 : PTE_VALID;
  return permissions | valid | (random.oneIn(2) ? PTE_USER : 0);
}

/**
 * True if no access to the scratch area can fault. Only then a block may hold atomic operations:
 * QEMU 7.2 reports their page faults as those of loads (privileged specification, table of mcause:
 * "store/AMO page fault").
 */
export function hasPlainMemory({ privilege, translation, mstatus, pages }: Environment): boolean {
  if (translation === 'bare') return true;
  if (privilege === MACHINE && (mstatus & MSTATUS_MPRV) === 0) return true;
  // With MPRV, MRET has left user mode in MPP.
  const isUser = privilege !== SUPERVISOR;
  return pages.every((page) => {
    const isAccessible =
      (page & PTE_USER) !== 0 ? isUser || (mstatus & MSTATUS_SUM) !== 0 : !isUser;
    return isAccessible && (page & (PTE_VALID | READ_WRITE)) === (PTE_VALID | READ_WRITE);
  });
}

/**
 * True if a block may read its own code as data. With MPRV it may not: QEMU 7.2 takes what a fetch
 * in machine mode has left in its TLB for a translation of the load.
 */
export function mayReadCode({ mstatus }: Environment): boolean {
  return (mstatus & MSTATUS_MPRV) === 0;
}

/** The value of mstatus to enter the block from. */
export function entryMstatus({ mstatus, privilege }: Environment): number {
  return mstatus | (privilege << 11);
}

/** The value of satp, and the pages of the table that go to `address`. */
export function makeTranslation(
  environment: Environment,
  address: number,
): { readonly satp: bigint; readonly tables: Uint8Array } {
  if (environment.translation === 'bare') return { satp: 0n, tables: new Uint8Array(0) };
  const isSv48 = environment.translation === 'sv48';
  const tables = Buffer.alloc((isSv48 ? 4 : 3) * PAGE_BYTES);
  const set = (table: number, index: number, target: number, bits: number): void => {
    const entry = (BigInt(target / PAGE_BYTES) << 10n) | BigInt(bits);
    tables.writeBigUInt64LE(entry, table * PAGE_BYTES + 8 * (index % ENTRIES));
  };
  // Tables in order from the leaves up: 4 KiB, 2 MiB, 1 GiB, 512 GiB.
  const place = (table: number): number => address + table * PAGE_BYTES;
  const [low, high] = environment.pages;
  // A page without permissions would be a pointer to a next level, which the last has none of.
  const leaf = PTE_ACCESSED | PTE_DIRTY;
  const scratch = SCRATCH_MIDDLE - SCRATCH_BYTES / 2;
  const lowPage = scratch - (scratch % PAGE_BYTES);
  set(0, lowPage / PAGE_BYTES, lowPage, low | leaf);
  set(0, SCRATCH_MIDDLE / PAGE_BYTES, SCRATCH_MIDDLE, high | leaf);
  set(1, RAM / SUPERPAGE_BYTES, place(0), PTE_VALID);
  const user = environment.privilege === USER ? PTE_USER : 0;
  const code = PTE_VALID | PTE_READ | PTE_EXECUTE | user | leaf;
  for (let at = MAPPED_CODE_ADDRESS; at < RAM + RAM_BYTES; at += SUPERPAGE_BYTES) {
    set(1, at / SUPERPAGE_BYTES, at, code);
  }
  set(2, RAM / (SUPERPAGE_BYTES * ENTRIES), place(1), PTE_VALID);
  if (isSv48) set(3, 0, place(2), PTE_VALID);
  const root = place(isSv48 ? 3 : 2);
  const mode = isSv48 ? 9n : 8n;
  return { satp: (mode << 60n) | BigInt(root / PAGE_BYTES), tables };
}
