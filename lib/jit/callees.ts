/**
 * The functions outside a region that its code calls: slow paths of the hart and the float
 * library. A module imports only those it needs.
 */

import { assert } from '../base/assert.js';
import type { Expr, FunctionSignature, Stmt } from '../wasm/ir.js';
import { IMPORTS } from '../riscv/semantics/access-frame.js';
import { SLOW_LOAD, SLOW_STORE } from '../riscv/semantics/memory-effects.js';
import type { Instruction } from '../riscv/table/index.js';
import type { Region } from './region.js';

const known = new Map<Instruction, readonly FunctionSignature[]>();

export function calleesOf(region: Region): readonly FunctionSignature[] {
  const byName = new Map<string, FunctionSignature>();
  for (const block of region.blocks.values()) {
    for (const { decoded } of block.instructions) {
      for (const callee of calleesOfInstruction(decoded.instruction)) {
        byName.set(callee.name, callee);
      }
    }
  }
  return [...byName.values()];
}

function calleesOfInstruction(instruction: Instruction): readonly FunctionSignature[] {
  const cached = known.get(instruction);
  if (cached !== undefined) return cached;
  const found = instruction.semantics.flatMap((stmt) => inStatement(stmt));
  known.set(instruction, found);
  return found;
}

/** Rows of the table consist of assigns and effects. */
function inStatement(stmt: Stmt): readonly FunctionSignature[] {
  if (stmt.kind === 'assign') return inExpression(stmt.value);
  assert(stmt.kind === 'effect', `a table row with a statement of kind ${stmt.kind}`);
  const inside = stmt.args.flatMap((arg) => inExpression(arg));
  const kind = stmt.name.split('.')[0];
  switch (kind) {
    case 'load':
      return [...inside, SLOW_LOAD];
    case 'store':
      return [...inside, SLOW_STORE];
    case 'amo':
      return [...inside, IMPORTS.atomicAddress];
    case 'system':
      return [...inside, IMPORTS.atomicAddress, IMPORTS.zeroBlock];
    default:
      return inside;
  }
}

function inExpression(expr: Expr): readonly FunctionSignature[] {
  switch (expr.kind) {
    case 'unary':
      return inExpression(expr.a);
    case 'binary':
      return [...inExpression(expr.a), ...inExpression(expr.b)];
    case 'select':
      return [expr.a, expr.b, expr.condition].flatMap((part: Expr) => inExpression(part));
    case 'choose':
      return [expr.condition, expr.then, expr.otherwise].flatMap((part: Expr) =>
        inExpression(part),
      );
    case 'multiply-add':
      return [expr.a, expr.b, expr.c].flatMap((part: Expr) => inExpression(part));
    case 'call':
      return [expr.target, ...expr.args.flatMap((arg) => inExpression(arg))];
    case 'load':
      return inExpression(expr.address);
    case 'tee':
      return inExpression(expr.value);
    case 'call-indirect':
    case 'local':
    case 'const':
    case 'global':
    case 'operand':
      return [];
  }
}
