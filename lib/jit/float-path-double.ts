/**
 * Native paths of double precision, and of what narrows it: what the host computes, and when it may
 * be taken.
 */

import { set } from '../wasm/ir.js';
import { f32, f64, i32, i64 } from '../wasm/ops.js';
import { F64 } from '../riscv/float/format.js';
import {
  bitsOf,
  boxed,
  isSafelyNormal,
  isSafelyNormalSingle,
  magnitudeBits,
  truncation,
  type F64Expr,
  type I32,
  type NativePath,
  type Operands,
} from './float-path-operands.js';
import { LOCALS } from './region-locals.js';

export function doublePath(operation: string, operands: Operands): NativePath | null {
  switch (operation) {
    case 'add':
    case 'sub':
    case 'mul':
    case 'div':
      return doubleArithmetic(operation, operands);
    case 'sqrt':
      return rounded(operands, f64.sqrt(operands.a), isSafelyNormal(operands));
    case 'eq':
    case 'lt':
    case 'le':
      return doubleRelation(operation, operands);
    case 'sgnj':
    case 'sgnjn':
    case 'sgnjx':
      return doubleSign(operation, operands);
    case 'min':
    case 'max':
      return doubleExtremum(operation, operands);
    case 'to_i32':
    case 'to_u32':
    case 'to_i64':
    case 'to_u64':
      return truncation(operands, operation, operands.a);
    case 'to_f32':
      return demotion(operands);
    default:
      return null;
  }
}

/** A result that is rounded: it must be `safe`. */
export function rounded(operands: Operands, value: F64Expr, safe: I32): NativePath {
  return {
    compute: [set(operands.result, value)],
    holds: safe,
    commit: operands.writeFloat(operands.result),
  };
}

function doubleArithmetic(
  operation: 'add' | 'sub' | 'mul' | 'div',
  operands: Operands,
): NativePath {
  const isSum = operation === 'add' || operation === 'sub';
  const safe = isSum
    ? i64.ltU(magnitudeBits(operands), LOCALS.floatLimit)
    : isSafelyNormal(operands);
  return rounded(operands, f64[operation](operands.a, operands.b), safe);
}

/** Without a NaN no comparison raises a flag. */
function doubleRelation(relation: 'eq' | 'lt' | 'le', operands: Operands): NativePath {
  const { a, b } = operands;
  return {
    compute: [],
    holds: i32.and(f64.eq(a, a), f64.eq(b, b)),
    commit: operands.writeInteger(i64.extendI32U(f64[relation](a, b))),
  };
}

/** Without a NaN the host's minimum and maximum are RISC-V's: -0 is below +0. */
function doubleExtremum(extremum: 'min' | 'max', operands: Operands): NativePath {
  const { a, b } = operands;
  return {
    compute: [],
    holds: i32.and(f64.eq(a, a), f64.eq(b, b)),
    commit: operands.writeFloat(f64[extremum](a, b)),
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
    holds: null,
    commit: operands.writeFloat(f64.reinterpretI64(value)),
  };
}

function demotion(operands: Operands): NativePath {
  const plain = operands.frame.value;
  return {
    compute: [set(plain, bitsOf(f32.demote(operands.a)))],
    holds: isSafelyNormalSingle(plain),
    commit: operands.writeFloat(boxed(plain)),
  };
}
