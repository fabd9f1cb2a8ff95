/**
 * Control and status registers (privileged specification, chapter 2; WARL rules in 3.1 and 12.1).
 *
 * `access` carries out one Zicsr instruction's read and write and says what must follow. What
 * the machine does not have (performance counters beyond the three, debug triggers) is listed in
 * docs/DIVERGENCES.md.
 */

import type { WordBlock } from '../memory/word-block.js';
import { HART_WORD, type HartField } from './hart-state.js';
import type { Mmu } from './mmu.js';
import type { Pmp } from './pmp.js';
import { MSTATUS, MACHINE, SUPERVISOR, SUPERVISOR_INTERRUPTS } from './privilege.js';
import { pendingInterrupts } from './trap.js';

/** Values that depend on the hart's progress. */
export interface HartCounters {
  retired(): bigint;
  time(): bigint;
  /** A timer compare value or its enable changed. */
  timerChanged(): void;
}

/** `recheck`: interrupts or privilege rules may have changed; `remapped`: code addresses. */
export type CsrEffect = 'none' | 'recheck' | 'remapped' | 'illegal';

const STATUS_WRITABLE =
  MSTATUS.SIE |
  MSTATUS.MIE |
  MSTATUS.SPIE |
  MSTATUS.MPIE |
  MSTATUS.SPP |
  MSTATUS.FS |
  MSTATUS.MPRV |
  MSTATUS.SUM |
  MSTATUS.MXR |
  MSTATUS.TVM |
  MSTATUS.TW |
  MSTATUS.TSR;
const SSTATUS_WRITABLE =
  MSTATUS.SIE | MSTATUS.SPIE | MSTATUS.SPP | MSTATUS.FS | MSTATUS.SUM | MSTATUS.MXR;
const SSTATUS_VISIBLE = SSTATUS_WRITABLE | MSTATUS.UXL | MSTATUS.SD;
/** Bits of mstatus that choose the rules of data accesses. */
const CONTEXT_BITS = MSTATUS.MPRV | MSTATUS.SUM | MSTATUS.MXR | MSTATUS.MPP;
/** RV64 with A C D F I M S U. */
const MISA = (2n << 62n) | 0x14112dn;
const MEDELEG_MASK = 0xb3ffn;
const MIE_MASK = 0xaaan;
const MENVCFG_STCE = 1n << 63n;
const MENVCFG_MASK = MENVCFG_STCE | 0x81n;
const SENVCFG_MASK = 0x81n;
const COUNTER_MASK = 7n;
const STIP = 1n << 5n;
const MASK64 = (1n << 64n) - 1n;

/** Registers that are plain words with a mask of writable bits. */
const PLAIN: Readonly<Record<number, readonly [HartField, bigint]>> = {
  0x105: ['stvec', ~2n],
  0x106: ['scounteren', COUNTER_MASK],
  0x10a: ['senvcfg', SENVCFG_MASK],
  0x140: ['sscratch', MASK64],
  0x141: ['sepc', ~1n],
  0x142: ['scause', MASK64],
  0x143: ['stval', MASK64],
  0x302: ['medeleg', MEDELEG_MASK],
  0x305: ['mtvec', ~2n],
  0x306: ['mcounteren', COUNTER_MASK],
  0x320: ['mcountinhibit', 0n],
  0x340: ['mscratch', MASK64],
  0x341: ['mepc', ~1n],
  0x342: ['mcause', MASK64],
  0x343: ['mtval', MASK64],
};

export class CsrFile {
  private readonly block: WordBlock;
  private readonly pmp: Pmp;
  private readonly mmu: Mmu;
  private readonly counters: HartCounters;
  private readonly hart: number;

  constructor(parts: {
    readonly block: WordBlock;
    readonly pmp: Pmp;
    readonly mmu: Mmu;
    readonly counters: HartCounters;
    readonly hart: number;
  }) {
    this.block = parts.block;
    this.pmp = parts.pmp;
    this.mmu = parts.mmu;
    this.counters = parts.counters;
    this.hart = parts.hart;
  }

  /** The value of a register, or null if it can't be read here (illegal instruction). */
  read(csr: number): bigint | null {
    if (!this.permitted(csr)) return null;
    const plain = PLAIN[csr];
    if (plain !== undefined) return this.word(plain[0]);
    return this.readFloat(csr) ?? this.readCounter(csr) ?? this.readSpecial(csr);
  }

  /** Writes a register that `read` has accepted. */
  write(csr: number, value: bigint): CsrEffect {
    // The top two address bits 11 mark read-only registers (section 2.1).
    if (csr >>> 10 === 3) return 'illegal';
    const plain = PLAIN[csr];
    if (plain !== undefined) {
      this.put(plain[0], value & plain[1] & MASK64);
      if (csr === 0x10a) this.mmu.updateContext();
      return 'none';
    }
    if (csr <= 3) return this.writeFloat(csr, value);
    if (csr >= 0x3a0 && csr < 0x400) return this.writePmp(csr, value);
    return this.writeSpecial(csr, value);
  }

  private word(field: HartField): bigint {
    return this.block.get(HART_WORD[field]);
  }

  private put(field: HartField, value: bigint): void {
    this.block.set(HART_WORD[field], BigInt.asUintN(64, value));
  }

  /** Bits 9:8 of the address are the lowest privilege (section 2.1). */
  private permitted(csr: number): boolean {
    return Number(this.word('privilege')) >= ((csr >>> 8) & 3);
  }

  private fpuOn(): boolean {
    return (this.word('mstatus') & MSTATUS.FS) !== 0n;
  }

  private readFloat(csr: number): bigint | null {
    if (csr < 1 || csr > 3 || !this.fpuOn()) return null;
    const fcsr = this.word('fcsr');
    return csr === 1 ? fcsr & 31n : csr === 2 ? (fcsr >> 5n) & 7n : fcsr;
  }

  private writeFloat(csr: number, value: bigint): CsrEffect {
    const fcsr = this.word('fcsr');
    const next =
      csr === 1
        ? (fcsr & ~31n) | (value & 31n)
        : csr === 2
          ? (fcsr & 31n) | ((value & 7n) << 5n)
          : value & 255n;
    this.put('fcsr', next);
    this.put('mstatus', this.word('mstatus') | MSTATUS.FS);
    return 'none';
  }

  /** cycle, time, instret and their machine forms; other counters read as zero in M only. */
  private readCounter(csr: number): bigint | null {
    const user = csr >= 0xc00 && csr < 0xc20;
    const machine = csr >= 0xb00 && csr < 0xb20;
    if (!user && !machine) return null;
    const index = csr & 31;
    if (user && !this.counterEnabled(index)) return null;
    if (machine && index === 1) return null;
    if (index === 1) return this.counters.time();
    if (index > 2) return 0n;
    const offset = this.word(index === 0 ? 'mcycleOffset' : 'minstretOffset');
    return BigInt.asUintN(64, this.counters.retired() + offset);
  }

  private counterEnabled(index: number): boolean {
    const privilege = Number(this.word('privilege'));
    const bit = 1n << BigInt(index);
    if (privilege === MACHINE) return true;
    if ((this.word('mcounteren') & bit) === 0n) return false;
    return privilege === SUPERVISOR || (this.word('scounteren') & bit) !== 0n;
  }

  private readSpecial(csr: number): bigint | null {
    const status = this.word('mstatus');
    const dirty = (status & MSTATUS.FS) === MSTATUS.FS ? MSTATUS.SD : 0n;
    switch (csr) {
      case 0x100:
        return (status | MSTATUS.UXL | dirty) & SSTATUS_VISIBLE;
      case 0x104:
        return this.word('mie') & this.word('mideleg');
      case 0x144:
        return pendingInterrupts(this.block) & this.word('mideleg');
      case 0x14d:
        return this.timerCompareAllowed() ? this.word('stimecmp') : null;
      case 0x180:
        return this.translationTrapped() ? null : this.word('satp');
      case 0x300:
        return status | MSTATUS.UXL | MSTATUS.SXL | dirty;
      case 0x301:
        return MISA;
      case 0x303:
        return this.word('mideleg');
      case 0x304:
        return this.word('mie');
      case 0x30a:
        return this.word('menvcfg');
      case 0x344:
        return pendingInterrupts(this.block);
      case 0xf14:
        return BigInt(this.hart);
      case 0xf11:
      case 0xf12:
      case 0xf13:
      case 0xf15:
        return 0n;
      default:
        return this.readBank(csr);
    }
  }

  /** PMP registers; hardware performance events, which are all zero. */
  private readBank(csr: number): bigint | null {
    if (csr === 0x3a0 || csr === 0x3a2) return this.pmp.readConfig(csr - 0x3a0);
    if (csr >= 0x3b0 && csr < 0x3c0) return this.pmp.readAddress(csr - 0x3b0);
    if (csr >= 0x3a4 && csr < 0x3b0 && (csr & 1) === 0) return 0n;
    if (csr >= 0x3c0 && csr < 0x3f0) return 0n;
    return csr >= 0x323 && csr < 0x340 ? 0n : null;
  }

  private writePmp(csr: number, value: bigint): CsrEffect {
    if (csr === 0x3a0 || csr === 0x3a2) this.pmp.writeConfig(csr - 0x3a0, value);
    else if (csr >= 0x3b0 && csr < 0x3c0) this.pmp.writeAddress(csr - 0x3b0, value);
    this.mmu.flush();
    return 'recheck';
  }

  private writeSpecial(csr: number, value: bigint): CsrEffect {
    switch (csr) {
      case 0x100:
        return this.writeStatus(value, SSTATUS_WRITABLE);
      case 0x300:
        return this.writeStatus(value, STATUS_WRITABLE);
      case 0x104: {
        const visible = this.word('mideleg');
        this.put('mie', (this.word('mie') & ~visible) | (value & visible));
        return 'recheck';
      }
      case 0x304:
        this.put('mie', value & MIE_MASK);
        return 'recheck';
      case 0x144:
        return this.writePending(value, this.word('mideleg') & 2n);
      case 0x344:
        return this.writePending(value, SUPERVISOR_INTERRUPTS & ~this.timerOwned());
      case 0x303:
        this.put('mideleg', value & SUPERVISOR_INTERRUPTS);
        return 'recheck';
      case 0x14d:
        this.put('stimecmp', value);
        this.counters.timerChanged();
        return 'recheck';
      case 0x180:
        return this.writeTranslation(value);
      case 0x30a:
        this.put('menvcfg', value & MENVCFG_MASK);
        this.put('mipSoftware', this.word('mipSoftware') & ~this.timerOwned());
        this.mmu.updateContext();
        this.counters.timerChanged();
        return 'recheck';
      case 0xb00:
        this.put('mcycleOffset', value - this.counters.retired() - 1n);
        return 'none';
      case 0xb02:
        this.put('minstretOffset', value - this.counters.retired() - 1n);
        return 'none';
      default:
        // misa and the event registers are read-only zero or constant: writes are ignored.
        return 'none';
    }
  }

  private writeStatus(value: bigint, mask: bigint): CsrEffect {
    const old = this.word('mstatus');
    let next = (old & ~mask) | (value & mask);
    // MPP is WARL: 2 is no privilege (section 3.1.6.1).
    const mpp = (value >> 11n) & 3n;
    if (mask === STATUS_WRITABLE && mpp !== 2n) next = (next & ~MSTATUS.MPP) | (mpp << 11n);
    this.put('mstatus', next);
    const changed = old ^ next;
    if ((changed & MSTATUS.MXR) !== 0n) this.mmu.flush();
    if ((changed & CONTEXT_BITS) !== 0n) this.mmu.updateContext();
    // Most writes only turn interrupts off, or on while none is pending.
    const enabled = (changed & next & (MSTATUS.SIE | MSTATUS.MIE)) !== 0n;
    const waiting = pendingInterrupts(this.block) & this.word('mie');
    return enabled && waiting !== 0n ? 'recheck' : 'none';
  }

  private writePending(value: bigint, mask: bigint): CsrEffect {
    this.put('mipSoftware', (this.word('mipSoftware') & ~mask) | (value & mask));
    return 'recheck';
  }

  /** STIP when the supervisor timer owns it (Sstc, section 12.1.3). */
  private timerOwned(): bigint {
    return (this.word('menvcfg') & MENVCFG_STCE) !== 0n ? STIP : 0n;
  }

  private timerCompareAllowed(): boolean {
    if (Number(this.word('privilege')) === MACHINE) return true;
    return this.timerOwned() !== 0n && (this.word('mcounteren') & 2n) !== 0n;
  }

  private translationTrapped(): boolean {
    const inSupervisor = Number(this.word('privilege')) === SUPERVISOR;
    return inSupervisor && (this.word('mstatus') & MSTATUS.TVM) !== 0n;
  }

  /** An unsupported mode leaves satp unchanged; there are no ASID bits (section 12.1.11). */
  private writeTranslation(value: bigint): CsrEffect {
    const mode = value >> 60n;
    if (mode !== 0n && mode !== 8n && mode !== 9n) return 'none';
    this.put('satp', value & ~(0xffffn << 44n));
    this.mmu.updateContext();
    return 'remapped';
  }
}
