/**
 * From the bits of an instruction to its row of the table and its operands.
 *
 * Lookup goes by major opcode and then tries the rows in order. Decoding is cold: its results
 * are kept in slots by the interpreter and in code by the compiler.
 */

import { present } from '../base/assert.js';
import { COMPRESSED, INSTRUCTIONS, type Instruction } from './table/index.js';

export interface Decoded {
  readonly instruction: Instruction;
  readonly rd: number;
  readonly rs1: number;
  readonly rs2: number;
  readonly rs3: number;
  /** Rounding-mode field (0..7). */
  readonly rm: number;
  /** Sign-extended immediate; the csr number; the shift amount. */
  readonly imm: number;
  readonly bytes: 2 | 4;
}

const BY_OPCODE: readonly (readonly Instruction[])[] = Array.from({ length: 128 }, (_, opcode) =>
  INSTRUCTIONS.filter((instruction) => (instruction.match & 0x7f) === opcode),
);
const BY_NAME = new Map(INSTRUCTIONS.map((instruction) => [instruction.name, instruction]));

/** First two bits 11: the instruction has 32 bits (longer encodings are not implemented). */
export const isCompressed = (half: number): boolean => (half & 3) !== 3;

/** Decodes a 32-bit instruction; null is an illegal instruction. */
export function decode32(word: number): Decoded | null {
  const rows = BY_OPCODE[word & 0x7f] ?? [];
  for (const instruction of rows) {
    if ((word & instruction.mask) >>> 0 !== instruction.match) continue;
    const rm = (word >>> 12) & 7;
    // Rounding modes 5 and 6 are reserved (unprivileged specification, table 27).
    if (instruction.rounds && (rm === 5 || rm === 6)) return null;
    return {
      instruction,
      rd: (word >>> 7) & 31,
      rs1: (word >>> 15) & 31,
      rs2: (word >>> 20) & 31,
      rs3: word >>> 27,
      rm,
      imm: immediate(word, instruction),
      bytes: 4,
    };
  }
  return null;
}

/** Decodes a 16-bit instruction; null is an illegal instruction. */
export function decode16(half: number): Decoded | null {
  for (const form of COMPRESSED) {
    if ((half & form.mask) !== form.match) continue;
    const operands = form.expand(half);
    if (operands === null) return null;
    const instruction = present(BY_NAME.get(form.base), `base instruction ${form.base}`);
    return { instruction, ...operands, rs3: 0, rm: 0, bytes: 2 };
  }
  return null;
}

function immediate(word: number, instruction: Instruction): number {
  switch (instruction.format) {
    case 'I':
      return word >> 20;
    case 'shift6':
      return (word >>> 20) & 63;
    case 'shift5':
      return (word >>> 20) & 31;
    case 'S':
      return ((word >> 25) << 5) | ((word >>> 7) & 31);
    case 'B':
      return (
        ((word >> 31) << 12) |
        (((word >>> 7) & 1) << 11) |
        (((word >>> 25) & 63) << 5) |
        (((word >>> 8) & 15) << 1)
      );
    case 'U':
      return word & ~0xfff;
    case 'J':
      return (
        ((word >> 31) << 20) |
        (((word >>> 12) & 255) << 12) |
        (((word >>> 20) & 1) << 11) |
        (((word >>> 21) & 1023) << 1)
      );
    case 'csr':
      return word >>> 20;
    case 'R':
    case 'R4':
    case 'none':
      return 0;
  }
}
