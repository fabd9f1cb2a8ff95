/**
 * A second, independent encoder of 32-bit instructions: the formats of the unprivileged
 * specification (chapter "RV32I", section "Base Instruction Formats") written down again from the
 * document, so that a mistake in Lockstep's own instruction table is not repeated here.
 *
 * Encoders return the word as an unsigned number. Fields are masked, never checked: a test may
 * want a reserved encoding.
 */

export function rType(
  opcode: number,
  funct3: number,
  funct7: number,
  rd: number,
  rs1: number,
  rs2: number,
): number {
  return ((funct7 << 25) | (rs2 << 20) | (rs1 << 15) | (funct3 << 12) | (rd << 7) | opcode) >>> 0;
}

export function r4Type(
  opcode: number,
  rm: number,
  format: number,
  rd: number,
  sources: readonly [number, number, number],
): number {
  const [rs1, rs2, rs3] = sources;
  return rType(opcode, rm, (rs3 << 2) | format, rd, rs1, rs2);
}

export function iType(
  opcode: number,
  funct3: number,
  rd: number,
  rs1: number,
  imm: number,
): number {
  return (((imm & 0xfff) << 20) | (rs1 << 15) | (funct3 << 12) | (rd << 7) | opcode) >>> 0;
}

export function sType(
  opcode: number,
  funct3: number,
  rs1: number,
  rs2: number,
  imm: number,
): number {
  return rType(opcode, funct3, (imm >> 5) & 0x7f, imm & 0x1f, rs1, rs2);
}

/** `offset` in bytes, even, within ±4 KiB. */
export function bType(funct3: number, rs1: number, rs2: number, offset: number): number {
  const high = ((offset >> 6) & 0x40) | ((offset >> 5) & 0x3f);
  const low = (offset & 0x1e) | ((offset >> 11) & 1);
  return rType(0x63, funct3, high, low, rs1, rs2);
}

/** `imm` is the upper 20 bits. */
export function uType(opcode: number, rd: number, imm: number): number {
  return (((imm & 0xfffff) << 12) | (rd << 7) | opcode) >>> 0;
}

/** `offset` in bytes, even, within ±1 MiB. */
export function jal(rd: number, offset: number): number {
  const imm =
    (((offset >> 20) & 1) << 19) |
    (((offset >> 1) & 0x3ff) << 9) |
    (((offset >> 11) & 1) << 8) |
    ((offset >> 12) & 0xff);
  return uType(0x6f, rd, imm);
}

/** OP and OP-32: name, opcode, funct3, funct7. */
export const REGISTER_OPS: readonly (readonly [string, number, number, number])[] = [
  ['add', 0x33, 0, 0],
  ['sub', 0x33, 0, 0x20],
  ['sll', 0x33, 1, 0],
  ['slt', 0x33, 2, 0],
  ['sltu', 0x33, 3, 0],
  ['xor', 0x33, 4, 0],
  ['srl', 0x33, 5, 0],
  ['sra', 0x33, 5, 0x20],
  ['or', 0x33, 6, 0],
  ['and', 0x33, 7, 0],
  ['addw', 0x3b, 0, 0],
  ['subw', 0x3b, 0, 0x20],
  ['sllw', 0x3b, 1, 0],
  ['srlw', 0x3b, 5, 0],
  ['sraw', 0x3b, 5, 0x20],
  ['mul', 0x33, 0, 1],
  ['mulh', 0x33, 1, 1],
  ['mulhsu', 0x33, 2, 1],
  ['mulhu', 0x33, 3, 1],
  ['div', 0x33, 4, 1],
  ['divu', 0x33, 5, 1],
  ['rem', 0x33, 6, 1],
  ['remu', 0x33, 7, 1],
  ['mulw', 0x3b, 0, 1],
  ['divw', 0x3b, 4, 1],
  ['divuw', 0x3b, 5, 1],
  ['remw', 0x3b, 6, 1],
  ['remuw', 0x3b, 7, 1],
];

/** OP-IMM and OP-IMM-32 with a 12-bit immediate: name, opcode, funct3. */
export const IMMEDIATE_OPS: readonly (readonly [string, number, number])[] = [
  ['addi', 0x13, 0],
  ['slti', 0x13, 2],
  ['sltiu', 0x13, 3],
  ['xori', 0x13, 4],
  ['ori', 0x13, 6],
  ['andi', 0x13, 7],
  ['addiw', 0x1b, 0],
];

/** Shifts by a constant: name, opcode, funct3, bits above the amount, largest amount. */
export const SHIFT_OPS: readonly (readonly [string, number, number, number, number])[] = [
  ['slli', 0x13, 1, 0, 63],
  ['srli', 0x13, 5, 0, 63],
  ['srai', 0x13, 5, 0x400, 63],
  ['slliw', 0x1b, 1, 0, 31],
  ['srliw', 0x1b, 5, 0, 31],
  ['sraiw', 0x1b, 5, 0x400, 31],
];

export const BRANCHES: readonly (readonly [string, number])[] = [
  ['beq', 0],
  ['bne', 1],
  ['blt', 4],
  ['bge', 5],
  ['bltu', 6],
  ['bgeu', 7],
];

/** Name, opcode, funct3, bytes; opcode 7 loads a floating-point register. */
export const LOADS: readonly (readonly [string, number, number, number])[] = [
  ['lb', 0x03, 0, 1],
  ['lh', 0x03, 1, 2],
  ['lw', 0x03, 2, 4],
  ['ld', 0x03, 3, 8],
  ['lbu', 0x03, 4, 1],
  ['lhu', 0x03, 5, 2],
  ['lwu', 0x03, 6, 4],
  ['flw', 0x07, 2, 4],
  ['fld', 0x07, 3, 8],
];

/** Name, opcode, funct3, bytes; opcode 0x27 stores a floating-point register. */
export const STORES: readonly (readonly [string, number, number, number])[] = [
  ['sb', 0x23, 0, 1],
  ['sh', 0x23, 1, 2],
  ['sw', 0x23, 2, 4],
  ['sd', 0x23, 3, 8],
  ['fsw', 0x27, 2, 4],
  ['fsd', 0x27, 3, 8],
];

/** Read-modify-write operations: name, funct5. The width is funct3: 2 for a word, 3 for two. */
export const ATOMICS: readonly (readonly [string, number])[] = [
  ['amoadd', 0x00],
  ['amoswap', 0x01],
  ['amoxor', 0x04],
  ['amoor', 0x08],
  ['amoand', 0x0c],
  ['amomin', 0x10],
  ['amomax', 0x14],
  ['amominu', 0x18],
  ['amomaxu', 0x1c],
];
export const LOAD_RESERVED = 0x02;
export const STORE_CONDITIONAL = 0x03;

/**
 * OP-FP by what the fields hold. `funct7` without its lowest two bits, which are the format:
 * 0 single, 1 double.
 */
export interface FloatOp {
  readonly name: string;
  readonly funct7: number;
  /** The rounding mode goes here; otherwise a fixed funct3. */
  readonly funct3: number | 'rm';
  /** A second source register, or a fixed field. */
  readonly rs2: number | 'register';
  readonly destination: 'f' | 'x';
  readonly source: 'f' | 'x';
}

function float(
  name: string,
  funct7: number,
  funct3: number | 'rm',
  rs2: number | 'register',
  registers: 'ff' | 'xf' | 'fx' = 'ff',
): FloatOp {
  const [destination, source] =
    registers === 'ff' ? ['f', 'f'] : registers === 'xf' ? ['x', 'f'] : ['f', 'x'];
  return {
    name,
    funct7,
    funct3,
    rs2,
    destination: destination === 'f' ? 'f' : 'x',
    source: source === 'f' ? 'f' : 'x',
  };
}

/** Operations that exist for both formats under the same code. */
export const FLOAT_OPS: readonly FloatOp[] = [
  float('fadd', 0x00, 'rm', 'register'),
  float('fsub', 0x04, 'rm', 'register'),
  float('fmul', 0x08, 'rm', 'register'),
  float('fdiv', 0x0c, 'rm', 'register'),
  float('fsqrt', 0x2c, 'rm', 0),
  float('fsgnj', 0x10, 0, 'register'),
  float('fsgnjn', 0x10, 1, 'register'),
  float('fsgnjx', 0x10, 2, 'register'),
  float('fmin', 0x14, 0, 'register'),
  float('fmax', 0x14, 1, 'register'),
  float('fle', 0x50, 0, 'register', 'xf'),
  float('flt', 0x50, 1, 'register', 'xf'),
  float('feq', 0x50, 2, 'register', 'xf'),
  float('fcvt.w', 0x60, 'rm', 0, 'xf'),
  float('fcvt.wu', 0x60, 'rm', 1, 'xf'),
  float('fcvt.l', 0x60, 'rm', 2, 'xf'),
  float('fcvt.lu', 0x60, 'rm', 3, 'xf'),
  float('fcvt-from.w', 0x68, 'rm', 0, 'fx'),
  float('fcvt-from.wu', 0x68, 'rm', 1, 'fx'),
  float('fcvt-from.l', 0x68, 'rm', 2, 'fx'),
  float('fcvt-from.lu', 0x68, 'rm', 3, 'fx'),
  float('fmv.x', 0x70, 0, 0, 'xf'),
  float('fclass', 0x70, 1, 0, 'xf'),
  float('fmv-from.x', 0x78, 0, 0, 'fx'),
];
/** fcvt.s.d and fcvt.d.s: funct7 with the target's format, rs2 with the source's. */
export const FLOAT_CONVERSIONS: readonly (readonly [string, number, number])[] = [
  ['fcvt.s.d', 0x20, 1],
  ['fcvt.d.s', 0x21, 0],
];
/** Name and opcode. */
export const FUSED_OPS: readonly (readonly [string, number])[] = [
  ['fmadd', 0x43],
  ['fmsub', 0x47],
  ['fnmsub', 0x4b],
  ['fnmadd', 0x4f],
];
