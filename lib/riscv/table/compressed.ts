/**
 * The C extension (unprivileged specification, chapter 27): each 16-bit form names the base
 * instruction it stands for and how its operands are placed.
 *
 * An expansion gives operands as the base instruction would have them, so that nothing after the
 * decoder knows that the instruction was short, except its length.
 */

export interface Operands {
  readonly rd: number;
  readonly rs1: number;
  readonly rs2: number;
  readonly imm: number;
}

export interface CompressedInstruction {
  readonly name: string;
  /** Name of the base instruction. */
  readonly base: string;
  readonly match: number;
  readonly mask: number;
  /** Operands of the base instruction, or null where this encoding is reserved. */
  readonly expand: (half: number) => Operands | null;
}

const bits = (half: number, low: number, count: number): number =>
  (half >>> low) & ((1 << count) - 1);
const signed = (value: number, width: number): number => (value << (32 - width)) >> (32 - width);

const rdFull = (half: number): number => bits(half, 7, 5);
const rs2Full = (half: number): number => bits(half, 2, 5);
const rdShort = (half: number): number => bits(half, 7, 3) + 8;
const rs2Short = (half: number): number => bits(half, 2, 3) + 8;

/** imm[5] at bit 12, imm[4:0] at bits 6:2. */
const imm6 = (half: number): number => signed((bits(half, 12, 1) << 5) | bits(half, 2, 5), 6);
const shamt = (half: number): number => (bits(half, 12, 1) << 5) | bits(half, 2, 5);
const wordOffset = (half: number): number =>
  (bits(half, 10, 3) << 3) | (bits(half, 6, 1) << 2) | (bits(half, 5, 1) << 6);
const doubleOffset = (half: number): number => (bits(half, 10, 3) << 3) | (bits(half, 5, 2) << 6);
const wordStackLoad = (half: number): number =>
  (bits(half, 12, 1) << 5) | (bits(half, 4, 3) << 2) | (bits(half, 2, 2) << 6);
const doubleStackLoad = (half: number): number =>
  (bits(half, 12, 1) << 5) | (bits(half, 5, 2) << 3) | (bits(half, 2, 3) << 6);
const wordStackStore = (half: number): number => (bits(half, 9, 4) << 2) | (bits(half, 7, 2) << 6);
const doubleStackStore = (half: number): number =>
  (bits(half, 10, 3) << 3) | (bits(half, 7, 3) << 6);
const addi4spn = (half: number): number =>
  (bits(half, 11, 2) << 4) |
  (bits(half, 7, 4) << 6) |
  (bits(half, 6, 1) << 2) |
  (bits(half, 5, 1) << 3);
const addi16sp = (half: number): number =>
  signed(
    (bits(half, 12, 1) << 9) |
      (bits(half, 6, 1) << 4) |
      (bits(half, 5, 1) << 6) |
      (bits(half, 3, 2) << 7) |
      (bits(half, 2, 1) << 5),
    10,
  );
const jumpOffset = (half: number): number =>
  signed(
    (bits(half, 12, 1) << 11) |
      (bits(half, 11, 1) << 4) |
      (bits(half, 9, 2) << 8) |
      (bits(half, 8, 1) << 10) |
      (bits(half, 7, 1) << 6) |
      (bits(half, 6, 1) << 7) |
      (bits(half, 3, 3) << 1) |
      (bits(half, 2, 1) << 5),
    12,
  );
const branchOffset = (half: number): number =>
  signed(
    (bits(half, 12, 1) << 8) |
      (bits(half, 10, 2) << 3) |
      (bits(half, 5, 2) << 6) |
      (bits(half, 3, 2) << 1) |
      (bits(half, 2, 1) << 5),
    9,
  );

type Expand = CompressedInstruction['expand'];

function form(
  name: string,
  base: string,
  [match, mask]: readonly [number, number],
  expand: Expand,
): CompressedInstruction {
  return { name, base, match, mask, expand };
}

const unless = (reserved: boolean, operands: Operands): Operands | null =>
  reserved ? null : operands;

const loadShort =
  (offset: (half: number) => number): Expand =>
  (half) => ({ rd: rs2Short(half), rs1: rdShort(half), rs2: 0, imm: offset(half) });
const storeShort =
  (offset: (half: number) => number): Expand =>
  (half) => ({ rd: 0, rs1: rdShort(half), rs2: rs2Short(half), imm: offset(half) });
const storeStack =
  (offset: (half: number) => number): Expand =>
  (half) => ({ rd: 0, rs1: 2, rs2: rs2Full(half), imm: offset(half) });
const loadStack =
  (offset: (half: number) => number, zeroReserved: boolean): Expand =>
  (half) =>
    unless(zeroReserved && rdFull(half) === 0, {
      rd: rdFull(half),
      rs1: 2,
      rs2: 0,
      imm: offset(half),
    });
const registerPair: Expand = (half) => ({
  rd: rdShort(half),
  rs1: rdShort(half),
  rs2: rs2Short(half),
  imm: 0,
});
const shiftShort: Expand = (half) => ({
  rd: rdShort(half),
  rs1: rdShort(half),
  rs2: 0,
  imm: shamt(half),
});
const branchZero: Expand = (half) => ({
  rd: 0,
  rs1: rdShort(half),
  rs2: 0,
  imm: branchOffset(half),
});

/** Forms are tried in order: the special ones stand before those that would cover them. */
export const COMPRESSED: readonly CompressedInstruction[] = [
  form('c.addi4spn', 'addi', [0x0000, 0xe003], (half) =>
    unless(addi4spn(half) === 0, { rd: rs2Short(half), rs1: 2, rs2: 0, imm: addi4spn(half) }),
  ),
  form('c.fld', 'fld', [0x2000, 0xe003], loadShort(doubleOffset)),
  form('c.lw', 'lw', [0x4000, 0xe003], loadShort(wordOffset)),
  form('c.ld', 'ld', [0x6000, 0xe003], loadShort(doubleOffset)),
  form('c.fsd', 'fsd', [0xa000, 0xe003], storeShort(doubleOffset)),
  form('c.sw', 'sw', [0xc000, 0xe003], storeShort(wordOffset)),
  form('c.sd', 'sd', [0xe000, 0xe003], storeShort(doubleOffset)),
  form('c.addi', 'addi', [0x0001, 0xe003], (half) => ({
    rd: rdFull(half),
    rs1: rdFull(half),
    rs2: 0,
    imm: imm6(half),
  })),
  form('c.addiw', 'addiw', [0x2001, 0xe003], (half) =>
    unless(rdFull(half) === 0, { rd: rdFull(half), rs1: rdFull(half), rs2: 0, imm: imm6(half) }),
  ),
  form('c.li', 'addi', [0x4001, 0xe003], (half) => ({
    rd: rdFull(half),
    rs1: 0,
    rs2: 0,
    imm: imm6(half),
  })),
  form('c.addi16sp', 'addi', [0x6101, 0xef83], (half) =>
    unless(addi16sp(half) === 0, { rd: 2, rs1: 2, rs2: 0, imm: addi16sp(half) }),
  ),
  form('c.lui', 'lui', [0x6001, 0xe003], (half) =>
    unless(imm6(half) === 0, { rd: rdFull(half), rs1: 0, rs2: 0, imm: imm6(half) << 12 }),
  ),
  form('c.srli', 'srli', [0x8001, 0xec03], shiftShort),
  form('c.srai', 'srai', [0x8401, 0xec03], shiftShort),
  form('c.andi', 'andi', [0x8801, 0xec03], (half) => ({
    rd: rdShort(half),
    rs1: rdShort(half),
    rs2: 0,
    imm: imm6(half),
  })),
  form('c.sub', 'sub', [0x8c01, 0xfc63], registerPair),
  form('c.xor', 'xor', [0x8c21, 0xfc63], registerPair),
  form('c.or', 'or', [0x8c41, 0xfc63], registerPair),
  form('c.and', 'and', [0x8c61, 0xfc63], registerPair),
  form('c.subw', 'subw', [0x9c01, 0xfc63], registerPair),
  form('c.addw', 'addw', [0x9c21, 0xfc63], registerPair),
  form('c.j', 'jal', [0xa001, 0xe003], (half) => ({
    rd: 0,
    rs1: 0,
    rs2: 0,
    imm: jumpOffset(half),
  })),
  form('c.beqz', 'beq', [0xc001, 0xe003], branchZero),
  form('c.bnez', 'bne', [0xe001, 0xe003], branchZero),
  form('c.slli', 'slli', [0x0002, 0xe003], (half) => ({
    rd: rdFull(half),
    rs1: rdFull(half),
    rs2: 0,
    imm: shamt(half),
  })),
  form('c.fldsp', 'fld', [0x2002, 0xe003], loadStack(doubleStackLoad, false)),
  form('c.lwsp', 'lw', [0x4002, 0xe003], loadStack(wordStackLoad, true)),
  form('c.ldsp', 'ld', [0x6002, 0xe003], loadStack(doubleStackLoad, true)),
  form('c.jr', 'jalr', [0x8002, 0xf07f], (half) =>
    unless(rdFull(half) === 0, { rd: 0, rs1: rdFull(half), rs2: 0, imm: 0 }),
  ),
  form('c.mv', 'add', [0x8002, 0xf003], (half) => ({
    rd: rdFull(half),
    rs1: 0,
    rs2: rs2Full(half),
    imm: 0,
  })),
  form('c.ebreak', 'ebreak', [0x9002, 0xffff], () => ({ rd: 0, rs1: 0, rs2: 0, imm: 0 })),
  form('c.jalr', 'jalr', [0x9002, 0xf07f], (half) => ({
    rd: 1,
    rs1: rdFull(half),
    rs2: 0,
    imm: 0,
  })),
  form('c.add', 'add', [0x9002, 0xf003], (half) => ({
    rd: rdFull(half),
    rs1: rdFull(half),
    rs2: rs2Full(half),
    imm: 0,
  })),
  form('c.fsdsp', 'fsd', [0xa002, 0xe003], storeStack(doubleStackStore)),
  form('c.swsp', 'sw', [0xc002, 0xe003], storeStack(wordStackStore)),
  form('c.sdsp', 'sd', [0xe002, 0xe003], storeStack(doubleStackStore)),
];
