/**
 * What the native paths of both widths share: operands as locals of a region, and what the bits of
 * a result must be.
 */

import type { Expr, Stmt } from '../wasm/ir.js';
import { f32, f64, i32, i64 } from '../wasm/ops.js';
import { F32, RoundingMode, box } from '../riscv/float/format.js';
import type { RegionFrame } from './region-frame.js';
import { LOCALS } from './region-locals.js';

export type I64 = Expr<'i64'>;
export type I32 = Expr<'i32'>;
export type F32Expr = Expr<'f32'>;
export type F64Expr = Expr<'f64'>;

/** A way to do an instruction in place. */
export interface NativePath {
  /** Computes the result; may be wrong where `holds` is not. */
  readonly compute: readonly Stmt[];
  /** Null where nothing can go wrong in a usable FPU. */
  readonly holds: I32 | null;
  /** Writes the result. */
  readonly commit: readonly Stmt[];
}

export class Operands {
  readonly frame: RegionFrame;
  readonly result = LOCALS.float;
  readonly a: F64Expr;
  readonly b: F64Expr;
  readonly c: F64Expr;

  constructor(frame: RegionFrame) {
    this.frame = frame;
    const { files, format } = frame.decoded.instruction;
    this.a = frame.readFloat('rs1');
    this.b = files.rs2 === 'f' ? frame.readFloat('rs2') : this.a;
    this.c = format === 'R4' ? frame.readFloat('rs3') : this.a;
  }

  get aBits(): I64 {
    return i64.reinterpretF64(this.a);
  }

  get bBits(): I64 {
    return i64.reinterpretF64(this.b);
  }

  get cBits(): I64 {
    return i64.reinterpretF64(this.c);
  }

  /** Nearest even, and NX set already. */
  get nearest(): I32 {
    return i64.ne(LOCALS.floatLimit, i64.const(0));
  }

  writeFloat(value: F64Expr): readonly Stmt[] {
    return [this.frame.writeFloat(value)];
  }

  writeInteger(value: I64): readonly Stmt[] {
    return [this.frame.write(value)];
  }
}

/** The bits of an f64 result, its sign shifted out. */
export const magnitudeBits = ({ result }: Operands): I64 =>
  i64.shl(i64.reinterpretF64(result), i64.const(1));
/** The same of the plain bits of an f32. */
export const magnitudeBitsOfSingle = (plain: I64): I64 => i64.shl(plain, i64.const(33));

/** Neither overflow, underflow nor an invalid operation; see `isSafelyNormal` in `native.ts`. */
export function isSafelyNormal(operands: Operands): I32 {
  const aboveTwo = i64.sub(magnitudeBits(operands), i64.const(2n << 53n));
  return i64.ltU(aboveTwo, LOCALS.floatLimit);
}

export function isSafelyNormalSingle(plain: I64): I32 {
  const aboveTwo = i64.sub(magnitudeBitsOfSingle(plain), i64.const(2n << 56n));
  return i64.ltU(aboveTwo, LOCALS.floatLimit);
}

/** A register that is boxed holds this float. */
export const singleOf = (bits: I64): F32Expr => f32.reinterpretI32(i32.wrap(bits));
export const bitsOf = (value: F32Expr): I64 => i64.extendI32U(i32.reinterpretF32(value));
export const boxed = (plain: I64): F64Expr => f64.reinterpretI64(box(F32, plain));
/** The upper half of every one is all ones. */
export function areBoxed([first, ...rest]: readonly [I64, ...I64[]]): I32 {
  return i64.geU(
    rest.reduce((all, bits) => i64.and(all, bits), first),
    i64.const(F32.box),
  );
}

/** What is above and below the values that fit; both are doubles. */
export const LIMITS = {
  to_i32: [-(2 ** 31) - 1, 2 ** 31],
  to_u32: [-1, 2 ** 32],
  to_i64: [-(2 ** 63) - 2 ** 11, 2 ** 63],
  to_u64: [-1, 2 ** 64],
} as const;
export type Truncation = keyof typeof LIMITS;

/** Towards zero, with NX set already, and within the type; the extremes are the library's. */
export function truncation(
  operands: Operands,
  kind: Truncation,
  value: F64Expr,
): NativePath | null {
  if (operands.frame.decoded.rm !== RoundingMode.RTZ) return null;
  const [below, above] = LIMITS[kind];
  const fits = i32.and(f64.lt(value, f64.const(above)), f64.lt(f64.const(below), value));
  const whole = kind === 'to_u64' ? i64.truncSatF64U(value) : i64.truncSatF64S(value);
  return {
    compute: [],
    holds: i32.and(operands.nearest, fits),
    commit: operands.writeInteger(kind === 'to_u32' ? i64.extend32S(whole) : whole),
  };
}
