/**
 * The accesses to control and status registers that kernels make all the time, in 32-bit halves:
 * the scratch and trap registers, and single bits of sstatus. Everything else is `CsrFile`'s, which
 * also says what these mean; a test compares the two.
 */

import type { WordBlock } from '../memory/word-block.js';
import { HART_WORD } from './hart-state.js';
import type { Mmu } from './mmu.js';
import { STATUS_DONE, STATUS_LEAVE } from './semantics/access-frame.js';

/** Not one of these accesses. */
export const NOT_QUICK = -1;

const SSTATUS = 0x100;
/** Bits of the low half. */
const SIE = 1 << 1;
const SPIE = 1 << 5;
const SPP = 1 << 8;
const FS = 3 << 13;
const SUM = 1 << 18;
const MXR = 1 << 19;
const VISIBLE = SIE | SPIE | SPP | FS | SUM | MXR;
const QUICK_BITS = SIE | SPIE | SPP | SUM;
/** High half of sstatus: UXL is 2, and SD says that FS is dirty. */
const UXL = 2;
const SD = 0x80000000;

/** Kinds of access: the low two bits of funct3. */
const WRITE = 1;
const SET = 2;

/** Low half of a plain register. */
function plainWord(csr: number): number {
  switch (csr) {
    case 0x140:
      return HART_WORD.sscratch * 2;
    case 0x141:
      return HART_WORD.sepc * 2;
    case 0x142:
      return HART_WORD.scause * 2;
    case 0x143:
      return HART_WORD.stval * 2;
    default:
      return NOT_QUICK;
  }
}

export class QuickCsr {
  private readonly halves: Uint32Array;
  private readonly mmu: Mmu;

  constructor(block: WordBlock, mmu: Mmu) {
    this.halves = block.halves;
    this.mmu = mmu;
  }

  /** Carries out a Zicsr instruction: a status, or NOT_QUICK if nothing was done. */
  access(word: number): number {
    const csr = word >>> 20;
    if ((this.halves[HART_WORD.privilege * 2] ?? 0) < 1) return NOT_QUICK;
    if (csr === SSTATUS) return this.accessStatus(word);
    const at = plainWord(csr);
    return at === NOT_QUICK ? NOT_QUICK : this.accessPlain(word, at);
  }

  private accessPlain(word: number, at: number): number {
    const { halves } = this;
    const funct3 = (word >>> 12) & 7;
    const rd = (word >>> 7) & 31;
    const source = (word >>> 15) & 31;
    const immediate = funct3 >= 4;
    const low = immediate ? source : (halves[source * 2] ?? 0);
    const high = immediate ? 0 : (halves[source * 2 + 1] ?? 0);
    const oldLow = halves[at] ?? 0;
    const oldHigh = halves[at + 1] ?? 0;
    const kind = funct3 & 3;
    if (kind === WRITE || source !== 0) {
      const isEpc = at === HART_WORD.sepc * 2;
      const newLow = kind === WRITE ? low : kind === SET ? oldLow | low : oldLow & ~low;
      halves[at] = isEpc ? newLow & ~1 : newLow;
      halves[at + 1] = kind === WRITE ? high : kind === SET ? oldHigh | high : oldHigh & ~high;
    }
    this.writeRegister(rd, oldLow, oldHigh);
    return STATUS_DONE;
  }

  private accessStatus(word: number): number {
    const { halves } = this;
    const funct3 = (word >>> 12) & 7;
    const kind = funct3 & 3;
    const source = (word >>> 15) & 31;
    const operand = funct3 >= 4 ? source : (halves[source * 2] ?? 0);
    // Writable bits of sstatus are all in the low half.
    const touched = source === 0 ? 0 : operand & VISIBLE;
    if (kind === WRITE || (touched & ~QUICK_BITS) !== 0) return NOT_QUICK;
    const at = HART_WORD.mstatus * 2;
    const old = halves[at] ?? 0;
    const next = kind === SET ? old | touched : old & ~touched;
    halves[at] = next;
    const high = (old & FS) === FS ? UXL | SD : UXL;
    this.writeRegister((word >>> 7) & 31, old & VISIBLE, high);
    const changed = old ^ next;
    if ((changed & SUM) !== 0) this.mmu.updateContext();
    return (changed & next & SIE) !== 0 && this.isPending() ? STATUS_LEAVE : STATUS_DONE;
  }

  private isPending(): boolean {
    const { halves } = this;
    const lines = halves[HART_WORD.mipLines * 2] ?? 0;
    const software = halves[HART_WORD.mipSoftware * 2] ?? 0;
    return ((lines | software) & (halves[HART_WORD.mie * 2] ?? 0)) !== 0;
  }

  private writeRegister(rd: number, low: number, high: number): void {
    if (rd === 0) return;
    this.halves[rd * 2] = low;
    this.halves[rd * 2 + 1] = high;
  }
}
