/**
 * A second, independent encoder of the 16-bit instructions (unprivileged specification, chapter
 * "C" Standard Extension, tables of RVC quadrants).
 *
 * Registers of three bits are given as 8 to 15. Immediates are in bytes or plain numbers as the
 * assembler writes them; the encoder scatters their bits.
 */

/** Bits of `value`, listed from the highest target bit down, moved together. */
function gather(value: number, ...bits: readonly number[]): number {
  return bits.reduce((word, bit) => (word << 1) | ((value >> bit) & 1), 0);
}

function short(register: number): number {
  return register & 7;
}

/** Quadrant 0 loads and stores: funct3, data register, base, offset already scattered. */
function memory(
  funct3: number,
  data: number,
  base: number,
  [high, low]: readonly [number, number],
): number {
  return (funct3 << 13) | (high << 10) | (short(base) << 7) | (low << 5) | (short(data) << 2);
}

function wordOffset(offset: number): readonly [number, number] {
  return [gather(offset, 5, 4, 3), gather(offset, 2, 6)];
}

function doubleOffset(offset: number): readonly [number, number] {
  return [gather(offset, 5, 4, 3), gather(offset, 7, 6)];
}

export const cLw = (rd: number, base: number, offset: number): number =>
  memory(2, rd, base, wordOffset(offset));
export const cSw = (rs: number, base: number, offset: number): number =>
  memory(6, rs, base, wordOffset(offset));
export const cLd = (rd: number, base: number, offset: number): number =>
  memory(3, rd, base, doubleOffset(offset));
export const cSd = (rs: number, base: number, offset: number): number =>
  memory(7, rs, base, doubleOffset(offset));
export const cFld = (rd: number, base: number, offset: number): number =>
  memory(1, rd, base, doubleOffset(offset));
export const cFsd = (rs: number, base: number, offset: number): number =>
  memory(5, rs, base, doubleOffset(offset));

/** `imm` a multiple of 4 from 4 to 1020. */
export function cAddi4spn(rd: number, imm: number): number {
  return (gather(imm, 5, 4, 9, 8, 7, 6, 2, 3) << 5) | (short(rd) << 2);
}

/** The format CI: a register and six bits of immediate, sign at bit 12. */
function immediate(quadrant: number, funct3: number, register: number, imm: number): number {
  return (funct3 << 13) | (gather(imm, 5) << 12) | (register << 7) | ((imm & 31) << 2) | quadrant;
}

export const cAddi = (rd: number, imm: number): number => immediate(1, 0, rd, imm);
export const cAddiw = (rd: number, imm: number): number => immediate(1, 1, rd, imm);
export const cLi = (rd: number, imm: number): number => immediate(1, 2, rd, imm);
export const cLui = (rd: number, imm: number): number => immediate(1, 3, rd, imm);
export const cSlli = (rd: number, amount: number): number => immediate(2, 0, rd, amount);

/** `imm` a multiple of 16 from -512 to 496, not 0. */
export function cAddi16sp(imm: number): number {
  return 0x6001 | (gather(imm, 9) << 12) | (2 << 7) | (gather(imm, 4, 6, 8, 7, 5) << 2);
}

/** srli, srai and andi: 0, 1 and 2. */
export function cArithmeticImmediate(kind: number, rd: number, imm: number): number {
  return 0x8001 | (gather(imm, 5) << 12) | (kind << 10) | (short(rd) << 7) | ((imm & 31) << 2);
}

/** sub, xor, or, and, subw, addw: 0 to 5. */
export function cArithmetic(kind: number, rd: number, rs: number): number {
  const isWord = kind >> 2;
  return 0x8c01 | (isWord << 12) | (short(rd) << 7) | ((kind & 3) << 5) | (short(rs) << 2);
}

export function cJ(offset: number): number {
  return 0xa001 | (gather(offset, 11, 4, 9, 8, 10, 6, 7, 3, 2, 1, 5) << 2);
}

/** c.beqz has funct3 6, c.bnez 7. */
export function cBranch(funct3: number, rs: number, offset: number): number {
  return (
    (funct3 << 13) |
    (gather(offset, 8, 4, 3) << 10) |
    (short(rs) << 7) |
    (gather(offset, 7, 6, 2, 1, 5) << 2) |
    1
  );
}

/** Quadrant 2, funct3 4: moves, adds and jumps by register. */
export const cMv = (rd: number, rs: number): number => 0x8002 | (rd << 7) | (rs << 2);
export const cAdd = (rd: number, rs: number): number => 0x9002 | (rd << 7) | (rs << 2);
export const cJr = (rs: number): number => cMv(rs, 0);
export const cJalr = (rs: number): number => cAdd(rs, 0);
export const C_EBREAK = 0x9002;

function stackLoad(funct3: number, rd: number, high: number, low: number): number {
  return (funct3 << 13) | (high << 12) | (rd << 7) | (low << 2) | 2;
}

export const cLwsp = (rd: number, offset: number): number =>
  stackLoad(2, rd, gather(offset, 5), gather(offset, 4, 3, 2, 7, 6));
export const cLdsp = (rd: number, offset: number): number =>
  stackLoad(3, rd, gather(offset, 5), gather(offset, 4, 3, 8, 7, 6));
export const cFldsp = (rd: number, offset: number): number =>
  stackLoad(1, rd, gather(offset, 5), gather(offset, 4, 3, 8, 7, 6));

function stackStore(funct3: number, rs: number, offset: number): number {
  return (funct3 << 13) | (offset << 7) | (rs << 2) | 2;
}

export const cSwsp = (rs: number, offset: number): number =>
  stackStore(6, rs, gather(offset, 5, 4, 3, 2, 7, 6));
export const cSdsp = (rs: number, offset: number): number =>
  stackStore(7, rs, gather(offset, 5, 4, 3, 8, 7, 6));
export const cFsdsp = (rs: number, offset: number): number =>
  stackStore(5, rs, gather(offset, 5, 4, 3, 8, 7, 6));
