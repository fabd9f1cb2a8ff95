/**
 * Operation numbers of decoded slots and the packing of a slot.
 *
 * Every row of the instruction table has a number; besides there are a few operations that no
 * instruction names. Rows whose only effect is to write rd become `nop` when rd is x0.
 */

import { assert, present } from '../../base/assert.js';
import type { Decoded } from '../decode.js';
import { INSTRUCTIONS, type Instruction } from '../table/index.js';

/** Not decoded yet. */
export const OP_UNDECODED = 0;
/** The slot behind the last of a page: go on at the next page. */
export const OP_PAGE_END = 1;
/** A 32-bit instruction whose second half lies on the next page. */
export const OP_CROSS = 2;
export const OP_ILLEGAL = 3;
export const OP_NOP = 4;
/** A compiled region can be entered here; imm is the number of the place. */
export const OP_COMPILED = 5;
/** Operations below are no rows of the table. */
export const FIRST_ROW = 6;

/** Table rows in the order of their operation numbers, which start at FIRST_ROW. */
export const OP_ROWS: readonly Instruction[] = INSTRUCTIONS;
export const OP_COUNT = FIRST_ROW + OP_ROWS.length;
assert(OP_COUNT <= 256, `${OP_COUNT} operations do not fit the byte of a slot`);

const OP_BY_ROW = new Map(OP_ROWS.map((entry, index) => [entry, FIRST_ROW + index]));

export interface Slot {
  /**
   * op | compressed << 8 | rd << 11 | rs1 << 19 | rs2 << 27: a byte for each register, in which it
   * stands as the offset of its word.
   */
  readonly low: number;
  readonly imm: number;
}

export const COMPRESSED_FLAG = 0x100;

/** `raw` is the instruction's bits, which slow operations and illegal ones keep as imm. */
export function packSlot(decoded: Decoded | null, raw: number, bytes: 2 | 4): Slot {
  const flag = bytes === 2 ? COMPRESSED_FLAG : 0;
  if (decoded === null) return { low: OP_ILLEGAL | flag, imm: raw | 0 };
  const { instruction, rd, rs1, rs2 } = decoded;
  if (instruction.pure && rd === 0) return { low: OP_NOP | flag, imm: 0 };
  const op = present(OP_BY_ROW.get(instruction), `operation of ${instruction.name}`);
  return {
    low: op | flag | (rd << 11) | (rs1 << 19) | (rs2 << 27),
    imm: slotImmediate(decoded, raw),
  };
}

function slotImmediate(decoded: Decoded, raw: number): number {
  const { instruction } = decoded;
  if (instruction.format === 'R4' || instruction.rounds) return decoded.rm | (decoded.rs3 << 3);
  const extension = instruction.extension;
  const keepsRaw = extension === 'Zicsr' || extension === 'Priv';
  return keepsRaw ? raw | 0 : decoded.imm;
}
