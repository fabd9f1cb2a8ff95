/**
 * Zicsr and the privileged instructions, and what the FPU's state field demands.
 */

import type { WordBlock } from '../memory/word-block.js';
import type { CsrFile } from './csr.js';
import { HART_WORD } from './hart-state.js';
import {
  STATUS_DONE,
  STATUS_LEAVE,
  STATUS_REDIRECTED,
  STATUS_RESUME,
  STATUS_TRAP,
} from './semantics/access-frame.js';
import { NOT_QUICK, QuickCsr } from './quick-csr.js';
import type { HartImports } from './interpreter/instance.js';
import type { Mmu } from './mmu.js';
import { EXCEPTION, MACHINE, MSTATUS, SUPERVISOR } from './privilege.js';
import {
  interruptPossible,
  pendingInterrupts,
  returnFromMachine,
  returnFromSupervisor,
} from './trap.js';

const ECALL = 0x00000073;
const EBREAK = 0x00100073;
const C_EBREAK = 0x9002;
const SRET = 0x10200073;
const MRET = 0x30200073;
const WFI = 0x10500073;

export class SystemInstructions {
  private readonly block: WordBlock;
  private readonly mmu: Mmu;
  private readonly csr: CsrFile;
  private readonly raise: (code: number, value: bigint) => void;
  private readonly instructionBits: () => bigint;
  private readonly quick: QuickCsr;

  constructor(parts: {
    readonly block: WordBlock;
    readonly mmu: Mmu;
    readonly csr: CsrFile;
    readonly raise: (code: number, value: bigint) => void;
    readonly instructionBits: () => bigint;
  }) {
    this.block = parts.block;
    this.mmu = parts.mmu;
    this.csr = parts.csr;
    this.raise = parts.raise;
    this.instructionBits = parts.instructionBits;
    this.quick = new QuickCsr(parts.block, parts.mmu);
  }

  imports(): Pick<HartImports, 'system' | 'fpuAccess' | 'illegal'> {
    return {
      system: (_low = 0, word = 0) => this.execute(word >>> 0),
      fpuAccess: (writes = 0) => this.useFpu(writes !== 0),
      illegal: (word = 0) => this.illegal(word >>> 0),
    };
  }

  private execute(word: number): number {
    if (word !== C_EBREAK && ((word >>> 12) & 7) !== 0) {
      const status = this.quick.access(word);
      return status === NOT_QUICK ? this.accessCsr(word) : status;
    }
    switch (word) {
      case ECALL: {
        const privilege = this.privilege();
        return this.trap(
          privilege === MACHINE
            ? EXCEPTION.machineCall
            : privilege === SUPERVISOR
              ? EXCEPTION.supervisorCall
              : EXCEPTION.userCall,
          0n,
        );
      }
      case EBREAK:
      case C_EBREAK:
        return this.trap(EXCEPTION.breakpoint, this.block.get(HART_WORD.pc));
      case SRET:
        return this.supervisorReturn(word);
      case MRET:
        return this.machineReturn(word);
      case WFI:
        return this.waitForInterrupt(word);
      default:
        return this.fence(word);
    }
  }

  private accessCsr(word: number): number {
    const csr = word >>> 20;
    const funct3 = (word >>> 12) & 7;
    const rd = (word >>> 7) & 31;
    const source = (word >>> 15) & 31;
    const operand = funct3 >= 4 ? BigInt(source) : this.block.get(source);
    const writes = (funct3 & 3) === 1 || source !== 0;
    const old = this.csr.read(csr);
    if (old === null) return this.illegal(word);
    let effect: ReturnType<CsrFile['write']> = 'none';
    if (writes) {
      const kind = funct3 & 3;
      const readForUpdate = this.valueForUpdate(csr, old);
      const value =
        kind === 1 ? operand : kind === 2 ? readForUpdate | operand : readForUpdate & ~operand;
      effect = this.csr.write(csr, value);
      if (effect === 'illegal') return this.illegal(word);
    }
    if (rd !== 0) this.block.set(rd, BigInt.asUintN(64, old));
    if (effect === 'remapped') {
      // The next instruction is fetched anew; Zicsr instructions have four bytes.
      this.block.set(HART_WORD.pc, BigInt.asUintN(64, this.block.get(HART_WORD.pc) + 4n));
      return STATUS_RESUME;
    }
    return effect === 'recheck' ? STATUS_LEAVE : STATUS_DONE;
  }

  /**
   * Read-modify-write of mip and sip uses the software bits, not the lines: a line that happens
   * to be high must not become a software bit (privileged specification, section 3.1.9).
   */
  private valueForUpdate(csr: number, old: bigint): bigint {
    return csr === 0x344 || csr === 0x144 ? this.block.get(HART_WORD.mipSoftware) : old;
  }

  private supervisorReturn(word: number): number {
    const trapped = (this.status() & MSTATUS.TSR) !== 0n;
    const privilege = this.privilege();
    if (privilege < SUPERVISOR || (privilege === SUPERVISOR && trapped)) return this.illegal(word);
    returnFromSupervisor(this.block);
    return this.afterReturn();
  }

  private machineReturn(word: number): number {
    if (this.privilege() < MACHINE) return this.illegal(word);
    returnFromMachine(this.block);
    return this.afterReturn();
  }

  /** Only where an interrupt may have been enabled the hart must look. */
  private afterReturn(): number {
    this.mmu.updateContext();
    return interruptPossible(this.block) ? STATUS_REDIRECTED : STATUS_RESUME;
  }

  /** In U mode WFI is illegal here, and in S mode with TW (privileged specification, 3.3.3). */
  private waitForInterrupt(word: number): number {
    const privilege = this.privilege();
    const trapped = (this.status() & MSTATUS.TW) !== 0n;
    if (privilege === 0 || (privilege === SUPERVISOR && trapped)) return this.illegal(word);
    const ready = pendingInterrupts(this.block) & this.block.get(HART_WORD.mie);
    if (ready === 0n) this.block.set(HART_WORD.parked, 1n);
    return STATUS_LEAVE;
  }

  /** sfence.vma: translations are always coherent, so that only its permission matters. */
  private fence(word: number): number {
    const privilege = this.privilege();
    const trapped = (this.status() & MSTATUS.TVM) !== 0n;
    if (privilege < SUPERVISOR || (privilege === SUPERVISOR && trapped)) return this.illegal(word);
    return STATUS_DONE;
  }

  private useFpu(writes: boolean): number {
    const status = this.status();
    if ((status & MSTATUS.FS) === 0n) return this.illegal(0);
    if (writes) this.block.set(HART_WORD.mstatus, status | MSTATUS.FS);
    return STATUS_DONE;
  }

  /** `word` 0 stands for "whatever is at pc". */
  private illegal(word: number): number {
    const bits = word === 0 ? this.instructionBits() : BigInt(word);
    return this.trap(EXCEPTION.illegalInstruction, bits);
  }

  private trap(code: number, value: bigint): number {
    this.raise(code, value);
    return STATUS_TRAP;
  }

  private privilege(): number {
    return Number(this.block.get(HART_WORD.privilege));
  }

  private status(): bigint {
    return this.block.get(HART_WORD.mstatus);
  }
}
