/**
 * Floating point in place: an instruction of the F and D extensions by the host's own operation,
 * where the result shows that it is what the exact library would give, flags included.
 *
 * The rules are those of `lib/riscv/float/native.ts`: rounding to nearest even, NX set already, and
 * a result that can hide nothing else. Where they don't hold, the instruction's own semantics run:
 * a call of the library.
 */

import { set, when, type Expr, type Local, type Stmt } from '../wasm/ir.js';
import { f32, f64, i32, i64 } from '../wasm/ops.js';
import { F32, F64, RoundingMode, box } from '../riscv/float/format.js';
import { isSafeSum, isSafelyNormal } from '../riscv/float/native.js';
import type { RegionFrame } from './region-frame.js';
import type { RegionInstruction } from './region.js';

const DYNAMIC = 7;

type I64 = Expr<'i64'>;
type I32 = Expr<'i32'>;
type F64Expr = Expr<'f64'>;

/** A way to do an instruction in place. */
interface NativePath {
  /** Computes the result; may be wrong where `holds` is not. */
  readonly compute: readonly Stmt[];
  readonly holds: I32;
  /** Writes the result. */
  readonly commit: readonly Stmt[];
}

/** The statements of an instruction with a native path, or null where there is none. */
export function nativeFloat(
  frame: RegionFrame,
  entry: RegionInstruction,
  exact: () => readonly Stmt[],
): readonly Stmt[] | null {
  const name = libraryFunction(entry);
  const path = name === null ? null : pathOf(name, new Operands(frame, entry));
  if (path === null) return null;
  const otherwise = [...exact(), frame.refreshFloat()];
  return [...path.compute, when(path.holds, path.commit, otherwise, 'likely')];
}

/** The function of the library that the instruction is a call of. */
function libraryFunction({ decoded }: RegionInstruction): string | null {
  for (const stmt of decoded.instruction.semantics) {
    if (stmt.kind === 'assign' && stmt.value.kind === 'call') return stmt.value.target.name;
  }
  return null;
}

class Operands {
  readonly frame: RegionFrame;
  readonly entry: RegionInstruction;
  readonly result: Local<'f64'>;
  readonly a: F64Expr;
  readonly b: F64Expr;

  constructor(frame: RegionFrame, entry: RegionInstruction) {
    this.frame = frame;
    this.entry = entry;
    const { rs1, rs2, instruction } = entry.decoded;
    this.result = frame.float;
    this.a = frame.readFloat(instruction.files.rs1 === 'f' ? rs1 : 0);
    this.b = frame.readFloat(instruction.files.rs2 === 'f' ? rs2 : 0);
  }

  get aBits(): I64 {
    return i64.reinterpretF64(this.a);
  }

  get bBits(): I64 {
    return i64.reinterpretF64(this.b);
  }

  get resultBits(): I64 {
    return i64.reinterpretF64(this.result);
  }

  /** Nearest even, and NX set already. */
  get nearest(): I32 {
    return this.frame.floatNearest;
  }

  get usable(): I32 {
    return this.frame.floatUsable;
  }

  writeFloat(value: F64Expr): readonly Stmt[] {
    return [this.frame.writeFloat(this.entry.decoded.rd, value)];
  }

  writeInteger(value: I64): readonly Stmt[] {
    return [this.frame.write('x', this.entry.decoded.rd, value)];
  }
}

function pathOf(name: string, operands: Operands): NativePath | null {
  const [width, operation] = [name.slice(0, 3), name.slice(4)];
  const truncates = operation.startsWith('to_i');
  if (!truncates && !mayBeNearest(operands.entry)) return null;
  if (width === 'f64') return double(operation, operands);
  if (width === 'f32') return single(operation, operands);
  return fromInteger(name, operands);
}

/** An encoding may name a mode of its own, whatever frm says; 7 is frm. */
function mayBeNearest({ decoded }: RegionInstruction): boolean {
  const { instruction, rm } = decoded;
  return !instruction.rounds || rm === RoundingMode.RNE || rm === DYNAMIC;
}

function double(operation: string, operands: Operands): NativePath | null {
  switch (operation) {
    case 'add':
    case 'sub':
    case 'mul':
    case 'div':
      return doubleArithmetic(operation, operands);
    case 'sqrt':
      return rounded(operands, f64.sqrt(operands.a), isSafelyNormal(F64, operands.resultBits));
    case 'eq':
    case 'lt':
    case 'le':
      return doubleRelation(operation, operands);
    case 'sgnj':
    case 'sgnjn':
    case 'sgnjx':
      return doubleSign(operation, operands);
    case 'to_i32':
      return truncation(operands, 2 ** 31);
    case 'to_i64':
      return truncation(operands, 2 ** 63);
    case 'to_f32':
      return demotion(operands);
    default:
      return null;
  }
}

/** A result that is rounded: it must be to nearest even, and it must be `safe`. */
function rounded(operands: Operands, value: F64Expr, safe: I32): NativePath {
  return {
    compute: [set(operands.result, value)],
    holds: i32.and(operands.nearest, safe),
    commit: operands.writeFloat(operands.result),
  };
}

function doubleArithmetic(
  operation: 'add' | 'sub' | 'mul' | 'div',
  operands: Operands,
): NativePath {
  const isSum = operation === 'add' || operation === 'sub';
  const safe = (isSum ? isSafeSum : isSafelyNormal)(F64, operands.resultBits);
  return rounded(operands, f64[operation](operands.a, operands.b), safe);
}

/** Without a NaN no comparison raises a flag. */
function doubleRelation(relation: 'eq' | 'lt' | 'le', operands: Operands): NativePath {
  const { a, b, usable } = operands;
  const ordered = i32.and(f64.eq(a, a), f64.eq(b, b));
  return {
    compute: [],
    holds: i32.and(usable, ordered),
    commit: operands.writeInteger(i64.extendI32U(f64[relation](a, b))),
  };
}

function doubleSign(kind: 'sgnj' | 'sgnjn' | 'sgnjx', operands: Operands): NativePath {
  const { aBits, bBits } = operands;
  const sign = i64.const(F64.signBit);
  const magnitude = i64.and(aBits, i64.const(F64.magnitudeMask));
  const signs = {
    sgnj: bBits,
    sgnjn: i64.xor(bBits, i64.const(-1)),
    sgnjx: i64.xor(aBits, bBits),
  } as const;
  const value = i64.or(magnitude, i64.and(signs[kind], sign));
  return {
    compute: [],
    holds: operands.usable,
    commit: operands.writeFloat(f64.reinterpretI64(value)),
  };
}

/** Towards zero, with NX set already, and within the type. */
function truncation(operands: Operands, limit: number): NativePath | null {
  if (operands.entry.decoded.rm !== RoundingMode.RTZ) return null;
  const { a, nearest } = operands;
  const fits = i32.and(f64.lt(a, f64.const(limit)), f64.lt(f64.const(-limit), a));
  return {
    compute: [],
    holds: i32.and(nearest, fits),
    commit: operands.writeInteger(i64.truncSatF64S(a)),
  };
}

function demotion(operands: Operands): NativePath {
  const { frame, a } = operands;
  const plain = frame.value;
  return {
    compute: [set(plain, i64.extendI32U(i32.reinterpretF32(f32.demote(a))))],
    holds: i32.and(operands.nearest, isSafelyNormal(F32, plain)),
    commit: operands.writeFloat(f64.reinterpretI64(box(F32, plain))),
  };
}

function fromInteger(name: string, operands: Operands): NativePath | null {
  const { frame, entry } = operands;
  const { rs1 } = entry.decoded;
  const integer = frame.read('x', rs1);
  switch (name) {
    case 'i32_to_f64':
    case 'u32_to_f64': {
      const low =
        name === 'i32_to_f64' ? i64.extend32S(integer) : i64.and(integer, i64.const(0xffffffffn));
      // Every 32-bit integer is a double.
      const commit = operands.writeFloat(f64.convertI64S(low));
      return { compute: [], holds: operands.usable, commit };
    }
    case 'i64_to_f64': {
      const commit = operands.writeFloat(f64.convertI64S(integer));
      return { compute: [], holds: operands.nearest, commit };
    }
    default:
      return null;
  }
}

/** A register that is boxed holds this float. */
const singleOf = (bits: I64): Expr<'f32'> => f32.reinterpretI32(i32.wrap(bits));
const isBoxed = (bits: I64): I32 => i64.geU(bits, i64.const(F32.box));

function single(operation: string, operands: Operands): NativePath | null {
  switch (operation) {
    case 'add':
    case 'sub':
    case 'mul':
    case 'div':
      return singleArithmetic(operation, operands);
    case 'eq':
    case 'lt':
    case 'le':
      return singleRelation(operation, operands);
    case 'to_f64':
      return promotion(operands);
    default:
      return null;
  }
}

function singleArithmetic(
  operation: 'add' | 'sub' | 'mul' | 'div',
  operands: Operands,
): NativePath {
  const { frame, aBits, bBits } = operands;
  const plain = frame.value;
  const isSum = operation === 'add' || operation === 'sub';
  const safe = (isSum ? isSafeSum : isSafelyNormal)(F32, plain);
  const value = f32[operation](singleOf(aBits), singleOf(bBits));
  const boxed = i32.and(isBoxed(aBits), isBoxed(bBits));
  return {
    compute: [set(plain, i64.extendI32U(i32.reinterpretF32(value)))],
    holds: i32.and(i32.and(operands.nearest, boxed), safe),
    commit: operands.writeFloat(f64.reinterpretI64(box(F32, plain))),
  };
}

function singleRelation(relation: 'eq' | 'lt' | 'le', operands: Operands): NativePath {
  const { aBits, bBits, usable } = operands;
  const [a, b] = [singleOf(aBits), singleOf(bBits)];
  const ordered = i32.and(f32.eq(a, a), f32.eq(b, b));
  const boxed = i32.and(isBoxed(aBits), isBoxed(bBits));
  return {
    compute: [],
    holds: i32.and(usable, i32.and(boxed, ordered)),
    commit: operands.writeInteger(i64.extendI32U(f32[relation](a, b))),
  };
}

function promotion(operands: Operands): NativePath {
  const { aBits, usable } = operands;
  const a = singleOf(aBits);
  return {
    compute: [],
    holds: i32.and(usable, i32.and(isBoxed(aBits), f32.eq(a, a))),
    commit: operands.writeFloat(f64.promote(a)),
  };
}
