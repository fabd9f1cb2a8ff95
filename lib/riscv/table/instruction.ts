/**
 * What one row of the instruction table says, and the vocabulary in which rows are written.
 *
 * A row holds encoding, operands, mnemonic and semantics of one instruction; decoder, interpreter,
 * compiler, disassembler and tests are all derived from it. Semantics are trees of `lib/wasm`
 * over named operands; the names are listed here, and what they mean physically (a word of
 * memory or a local) is up to the tier that emits them.
 *
 * Operands (i64 unless noted): rs1 rs2 imm pc next (pc + length) frs1 frs2 frs3 (raw register
 * bits) mem (the old value inside an amo) zero-extended shamt is imm; rm (i32, resolved).
 * Assignable: rd, frd.
 */

import {
  assign,
  effect,
  operand,
  type Expr,
  type FunctionSignature,
  type Stmt,
} from '../../wasm/ir.js';

/** How operands are placed in the 32-bit word (unprivileged specification, section 2.2). */
export type Format =
  | 'R'
  | 'R4'
  | 'I'
  /** I with a 6-bit (RV64) or 5-bit shift amount. */
  | 'shift6'
  | 'shift5'
  | 'S'
  | 'B'
  | 'U'
  | 'J'
  /** imm = csr number; rs1 is a register or a 5-bit constant. */
  | 'csr'
  /** No operands, or operands that the semantics do not use. */
  | 'none';

export type Extension = 'I' | 'M' | 'A' | 'F' | 'D' | 'Zicsr' | 'Zifencei' | 'Zicboz' | 'Priv';

/** Which register files the operand fields name: x (integer), f (floating point), - (none). */
export interface OperandFiles {
  readonly rd: 'x' | 'f' | '-';
  readonly rs1: 'x' | 'f' | '-';
  readonly rs2: 'x' | 'f' | '-';
}

export interface Instruction {
  readonly name: string;
  readonly extension: Extension;
  readonly format: Format;
  /** word & mask === match identifies the instruction. */
  readonly match: number;
  readonly mask: number;
  readonly files: OperandFiles;
  /** Uses the rounding-mode field. */
  readonly rounds: boolean;
  /** No effect but the write of rd, so that rd = x0 makes it a hint. */
  readonly pure: boolean;
  readonly semantics: readonly Stmt[];
}

export const RS1 = operand('i64', 'rs1');
export const RS2 = operand('i64', 'rs2');
export const IMM = operand('i64', 'imm');
export const PC = operand('i64', 'pc');
export const NEXT = operand('i64', 'next');
export const FRS1 = operand('i64', 'frs1');
export const FRS2 = operand('i64', 'frs2');
export const FRS3 = operand('i64', 'frs3');
export const MEM = operand('i64', 'mem');
export const RM = operand('i32', 'rm');

/** Kinds of memory access of a load: bytes and extension. */
export const LOAD_KINDS = ['i8', 'u8', 'i16', 'u16', 'i32', 'u32', 'i64', 'f32', 'f64'] as const;
export type LoadKind = (typeof LOAD_KINDS)[number];

export const setRd = (value: Expr<'i64'>): Stmt => assign('rd', value);
export const setFrd = (value: Expr<'i64'>): Stmt => assign('frd', value);
/** rd (or frd for f32/f64) = memory at `address`; may trap. */
export const load = (kind: LoadKind, address: Expr<'i64'>): Stmt =>
  effect(`load.${kind}`, [address]);
/** Low `bytes` of `value` to memory at `address`; may trap. */
export const store = (bytes: 1 | 2 | 4 | 8, address: Expr<'i64'>, value: Expr<'i64'>): Stmt =>
  effect(`store.${bytes}`, [address, value]);
/** rd = memory (sign-extended); memory = `value`, which may use `MEM`; atomic; may trap. */
export const amo = (bytes: 4 | 8, value: Expr<'i64'>): Stmt => effect(`amo.${bytes}`, [RS1, value]);
/** Continue at `target` (bit 0 already clear). */
export const jump = (target: Expr<'i64'>): Stmt => effect('jump', [target]);
/** Continue at pc + imm, which is a constant of the instruction. */
export const jumpRelative = (): Stmt => effect('jump-relative');
/** Continue at pc + imm if the condition holds. */
export const branch = (condition: Expr<'i32'>): Stmt => effect('branch', [condition]);
/** Carried out by the hart outside generated code; may trap or redirect. */
export const system = (name: string): Stmt => effect(`system.${name}`);
/** Illegal if the FPU is off; marks its state dirty when the instruction writes it. */
export const useFpu = (writes: boolean): Stmt => effect(writes ? 'fpu-write' : 'fpu-read');
/** Resolves the rounding mode into the operand `rm`; illegal if it is reserved. */
export const resolveRounding = (): Stmt => effect('round');

interface RowOptions {
  readonly files?: Partial<OperandFiles>;
  readonly rounds?: boolean;
  readonly pure?: boolean;
}

const FILES_BY_FORMAT: Record<Format, OperandFiles> = {
  R: { rd: 'x', rs1: 'x', rs2: 'x' },
  R4: { rd: 'f', rs1: 'f', rs2: 'f' },
  I: { rd: 'x', rs1: 'x', rs2: '-' },
  shift6: { rd: 'x', rs1: 'x', rs2: '-' },
  shift5: { rd: 'x', rs1: 'x', rs2: '-' },
  S: { rd: '-', rs1: 'x', rs2: 'x' },
  B: { rd: '-', rs1: 'x', rs2: 'x' },
  U: { rd: 'x', rs1: '-', rs2: '-' },
  J: { rd: 'x', rs1: '-', rs2: '-' },
  csr: { rd: 'x', rs1: 'x', rs2: '-' },
  none: { rd: '-', rs1: '-', rs2: '-' },
};

/** A row of the table; `extension` and `format` first because rows stand in groups of them. */
export function row(
  extension: Extension,
  format: Format,
  [name, match, mask]: readonly [string, number, number],
  semantics: readonly Stmt[],
  options: RowOptions = {},
): Instruction {
  return {
    name,
    extension,
    format,
    match: match >>> 0,
    mask: mask >>> 0,
    files: { ...FILES_BY_FORMAT[format], ...options.files },
    rounds: options.rounds ?? false,
    pure: options.pure ?? false,
    semantics,
  };
}

/** High 64 bits of the unsigned product; defined by the module that holds the semantics. */
export const MULHU: FunctionSignature = {
  name: 'mulhu',
  params: ['i64', 'i64'],
  result: 'i64',
};

/** Where control goes behind an instruction: on, to a computed place, or by its immediate. */
export type Flow = 'none' | 'jump' | 'jump-relative' | 'branch';

export function flowOf(instruction: Instruction): Flow {
  for (const stmt of instruction.semantics) {
    if (stmt.kind !== 'effect') continue;
    if (stmt.name === 'jump' || stmt.name === 'jump-relative' || stmt.name === 'branch') {
      return stmt.name;
    }
  }
  return 'none';
}
