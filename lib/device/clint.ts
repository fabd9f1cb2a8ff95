/**
 * Core-local interruptor: software interrupts between harts, and the M-mode timer (SiFive CLINT
 * layout, which QEMU's virt and the ACLINT specification share).
 *
 *   0x0000 + 4 * hart   msip       bit 0 drives the hart's software interrupt line
 *   0x4000 + 8 * hart   mtimecmp   compared with the hart's virtual time
 *   0xbff8              mtime      virtual time
 *
 * The device owns no timer. It keeps the compare values and tells the machine when one changes;
 * the machine derives the step at which the timer interrupt becomes pending. Virtual time is a
 * function of steps and logged re-bases, so a write of mtime is ignored (DIVERGENCES).
 */

import type { WordBlock, WordBlockSpec } from '../memory/word-block.js';
import type { ClockPort, MmioDevice } from './port.js';

const TIMECMP_START = 0x4000;
const MTIME = 0xbff8;
/** No deadline: the value of mtimecmp after power-on. */
const NEVER = 0xffff_ffff_ffff_ffffn;
const LOW_HALF = 0xffff_ffffn;

export function clintSpec(harts: number): WordBlockSpec {
  return {
    name: 'clint',
    fields: [
      ['msip', harts],
      ['mtimecmp', harts],
    ],
  };
}

export interface ClintOptions {
  readonly base: number;
  readonly harts: number;
  readonly clock: ClockPort;
  /** Drives the hart's machine software interrupt line (mip.MSIP). */
  readonly setSoftware: (hart: number, level: boolean) => void;
  /** The hart's mtimecmp changed; its timer deadline must be computed anew. */
  readonly onTimerChange: (hart: number) => void;
}

export class Clint implements MmioDevice {
  readonly name = 'clint';
  readonly base: number;
  readonly sizeBytes = 0x1_0000;
  private readonly block: WordBlock;
  private readonly options: ClintOptions;
  private readonly msip: number;
  private readonly mtimecmp: number;

  /** `block` has `clintSpec(options.harts)`. */
  constructor(block: WordBlock, options: ClintOptions) {
    this.base = options.base;
    this.block = block;
    this.options = options;
    this.msip = block.index('msip');
    this.mtimecmp = block.index('mtimecmp');
  }

  /** State at power-on: no software interrupt, no deadline. */
  reset(): void {
    for (let hart = 0; hart < this.options.harts; hart++) {
      this.block.set(this.msip + hart, 0n);
      this.block.set(this.mtimecmp + hart, NEVER);
      this.options.setSoftware(hart, false);
      this.options.onTimerChange(hart);
    }
  }

  /** The hart's M-mode deadline in timebase ticks; all ones is never. */
  timeCompare(hart: number): bigint {
    return this.block.get(this.mtimecmp + hart);
  }

  read(offset: number, bytes: number): bigint {
    if (bytes !== 4 && bytes !== 8) return 0n;
    const word = this.readWord(offset - (offset % 8));
    if (bytes === 8) return word;
    return offset % 8 === 0 ? word & LOW_HALF : word >> 32n;
  }

  /** The aligned 64-bit word at `offset`. */
  private readWord(offset: number): bigint {
    const { harts, clock } = this.options;
    if (offset === MTIME) return clock.now();
    if (offset < harts * 4) {
      const hart = offset / 4;
      const low = this.block.get(this.msip + hart);
      const high = hart + 1 < harts ? this.block.get(this.msip + hart + 1) : 0n;
      return low | (high << 32n);
    }
    const hart = (offset - TIMECMP_START) / 8;
    return hart >= 0 && hart < harts ? this.block.get(this.mtimecmp + hart) : 0n;
  }

  write(offset: number, bytes: number, value: bigint): void {
    if (bytes !== 4 && bytes !== 8) return;
    if (offset < TIMECMP_START) {
      this.writeSoftware(offset, value);
      if (bytes === 8) this.writeSoftware(offset + 4, value >> 32n);
      return;
    }
    const hart = Math.floor((offset - TIMECMP_START) / 8);
    if (hart >= this.options.harts) return;
    const index = this.mtimecmp + hart;
    const old = this.block.get(index);
    const half = value & LOW_HALF;
    let next = value;
    if (bytes === 4) {
      next = offset % 8 === 0 ? (old & ~LOW_HALF) | half : (old & LOW_HALF) | (half << 32n);
    }
    this.block.set(index, next);
    this.options.onTimerChange(hart);
  }

  private writeSoftware(offset: number, value: bigint): void {
    const hart = offset / 4;
    if (hart >= this.options.harts) return;
    const level = value & 1n;
    this.block.set(this.msip + hart, level);
    this.options.setSoftware(hart, level === 1n);
  }
}
