/**
 * Native paths of single precision, whose registers must be boxed: what the host computes, and when
 * it may be taken.
 */

import { set } from '../wasm/ir.js';
import { f32, f64, i32, i64 } from '../wasm/ops.js';
import { F32 } from '../riscv/float/format.js';
import {
  areBoxed,
  bitsOf,
  boxed,
  isSafelyNormalSingle,
  magnitudeBitsOfSingle,
  singleOf,
  truncation,
  type F32Expr,
  type I32,
  type I64,
  type NativePath,
  type Operands,
  type Truncation,
} from './float-path-operands.js';
import { LOCALS } from './region-locals.js';

export function singlePath(operation: string, operands: Operands): NativePath | null {
  const { aBits } = operands;
  switch (operation) {
    case 'add':
    case 'sub':
    case 'mul':
    case 'div':
      return singleArithmetic(operation, operands);
    case 'sqrt':
      return roundedSingle(operands, f32.sqrt(singleOf(aBits)), [aBits]);
    case 'eq':
    case 'lt':
    case 'le':
      return singleRelation(operation, operands);
    case 'sgnj':
    case 'sgnjn':
    case 'sgnjx':
      return singleSign(operation, operands);
    case 'min':
    case 'max':
      return singleExtremum(operation, operands);
    case 'to_i32':
    case 'to_u32':
    case 'to_i64':
    case 'to_u64':
      return singleTruncation(operation, operands);
    case 'to_f64':
      return promotion(operands);
    default:
      return null;
  }
}

/** A result that must be safely normal, of boxed sources. */
export function roundedSingle(
  operands: Operands,
  value: F32Expr,
  sources: readonly [I64, ...I64[]],
): NativePath {
  const plain = operands.frame.value;
  return {
    compute: [set(plain, bitsOf(value))],
    holds: i32.and(areBoxed(sources), isSafelyNormalSingle(plain)),
    commit: operands.writeFloat(boxed(plain)),
  };
}

function singleArithmetic(
  operation: 'add' | 'sub' | 'mul' | 'div',
  operands: Operands,
): NativePath {
  const { frame, aBits, bBits } = operands;
  const value = f32[operation](singleOf(aBits), singleOf(bBits));
  const path = roundedSingle(operands, value, [aBits, bBits]);
  if (operation === 'mul' || operation === 'div') return path;
  const finite = i64.ltU(magnitudeBitsOfSingle(frame.value), LOCALS.floatLimit);
  return { ...path, holds: i32.and(areBoxed([aBits, bBits]), finite) };
}

/** Both are boxed, and no NaN. */
function areOrdered({ aBits, bBits }: Operands): I32 {
  const [a, b] = [singleOf(aBits), singleOf(bBits)];
  return i32.and(areBoxed([aBits, bBits]), i32.and(f32.eq(a, a), f32.eq(b, b)));
}

function singleRelation(relation: 'eq' | 'lt' | 'le', operands: Operands): NativePath {
  const [a, b] = [singleOf(operands.aBits), singleOf(operands.bBits)];
  return {
    compute: [],
    holds: areOrdered(operands),
    commit: operands.writeInteger(i64.extendI32U(f32[relation](a, b))),
  };
}

function singleExtremum(extremum: 'min' | 'max', operands: Operands): NativePath {
  const [a, b] = [singleOf(operands.aBits), singleOf(operands.bBits)];
  return {
    compute: [],
    holds: areOrdered(operands),
    commit: operands.writeFloat(boxed(bitsOf(f32[extremum](a, b)))),
  };
}

function singleSign(kind: 'sgnj' | 'sgnjn' | 'sgnjx', operands: Operands): NativePath {
  const { aBits, bBits } = operands;
  const magnitude = i64.and(aBits, i64.const(F32.box | F32.magnitudeMask));
  const signs = {
    sgnj: bBits,
    sgnjn: i64.xor(bBits, i64.const(-1)),
    sgnjx: i64.xor(aBits, bBits),
  } as const;
  const value = i64.or(magnitude, i64.and(signs[kind], i64.const(F32.signBit)));
  return {
    compute: [],
    holds: areBoxed([aBits, bBits]),
    commit: operands.writeFloat(f64.reinterpretI64(value)),
  };
}

function singleTruncation(kind: Truncation, operands: Operands): NativePath | null {
  const { aBits } = operands;
  const path = truncation(operands, kind, f64.promote(singleOf(aBits)));
  if (path === null || path.holds === null) return null;
  return { ...path, holds: i32.and(areBoxed([aBits]), path.holds) };
}

function promotion(operands: Operands): NativePath {
  const { aBits } = operands;
  const a = singleOf(aBits);
  return {
    compute: [],
    holds: i32.and(areBoxed([aBits]), f32.eq(a, a)),
    commit: operands.writeFloat(f64.promote(a)),
  };
}
