/**
 * Which registers of a block point near each other. A register plus a constant, or plus a number
 * that is surely smaller than a page, is the same pointer: so is an element of a small table.
 */

import type { RegionInstruction } from './region.js';

/** A register as the block found it, or as one of its instructions left it. */
export interface Pointer {
  readonly register: number;
  /** Address of the instruction; null for what the block found. */
  readonly definition: bigint | null;
}

/** Bits of an offset within a page. */
const PAGE_BITS = 12;
const ANY_BITS = 64;

export class Pointers {
  private readonly found = new Map<number, Pointer>();
  private readonly known = new Map<number, Pointer>();
  /** How many bits the number in a register has at most. */
  private readonly bits = new Map<number, number>();

  /** The pointer in an x register, at this place of the block. */
  of(register: number): Pointer {
    return this.known.get(register) ?? this.atEntry(register);
  }

  /** Takes note of what an instruction does. */
  execute(entry: RegionInstruction): void {
    const { instruction, rd } = entry.decoded;
    if (instruction.files.rd !== 'x' || rd === 0) return;
    const pointer = this.near(entry) ?? { register: rd, definition: entry.pc };
    const bits = this.bitsAfter(entry);
    this.known.set(rd, pointer);
    this.bits.set(rd, bits);
  }

  private atEntry(register: number): Pointer {
    const known = this.found.get(register) ?? { register, definition: null };
    this.found.set(register, known);
    return known;
  }

  /** The pointer that the result is near to, or null. */
  private near({ decoded }: RegionInstruction): Pointer | null {
    const { instruction, rs1, rs2 } = decoded;
    if (instruction.name === 'addi') return rs1 === 0 ? null : this.of(rs1);
    if (instruction.name !== 'add') return null;
    if (rs2 !== 0 && this.bitsOf(rs1) <= PAGE_BITS) return this.of(rs2);
    return rs1 !== 0 && this.bitsOf(rs2) <= PAGE_BITS ? this.of(rs1) : null;
  }

  private bitsOf(register: number): number {
    return register === 0 ? 0 : (this.bits.get(register) ?? ANY_BITS);
  }

  private bitsAfter({ decoded }: RegionInstruction): number {
    const { instruction, rs1, imm } = decoded;
    switch (instruction.name) {
      case 'lbu':
        return 8;
      case 'andi':
        return imm < 0 ? this.bitsOf(rs1) : Math.min(this.bitsOf(rs1), bitsOfNumber(imm));
      case 'slli':
        return Math.min(ANY_BITS, this.bitsOf(rs1) + imm);
      case 'srli':
        return Math.max(0, this.bitsOf(rs1) - imm);
      default:
        return ANY_BITS;
    }
  }
}

const bitsOfNumber = (number: number): number => 32 - Math.clz32(number);
