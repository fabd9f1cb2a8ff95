/**
 * Goal: the instruction table is complete and consistent: RV64GC with Zicsr, Zifencei, Zicboz and
 * the privileged instructions, each row with what the tiers need.
 * Method: counts by extension as the manuals list them; marks compared with semantics.
 */

import test from 'ava';
import { decode32 } from '../../../lib/riscv/decode.js';
import { hasEffect } from '../../../lib/riscv/disassemble.js';
import { COMPRESSED, INSTRUCTIONS } from '../../../lib/riscv/table/index.js';
import type { Expr, Stmt } from '../../../lib/wasm/ir.js';

test('every extension has the instructions that its chapter lists', (t) => {
  const counts: Record<string, number> = {};
  for (const { extension } of INSTRUCTIONS) counts[extension] = (counts[extension] ?? 0) + 1;
  // Chapter I counts fence, but not ecall and ebreak, which stand with the privileged ones; M its
  // eight and the five on words.
  t.deepEqual(counts, {
    ...{ I: 50, M: 13, A: 22, F: 30, D: 32 },
    ...{ Zicsr: 6, Zifencei: 1, Zicboz: 1, Priv: 6 },
  });
});

test('names are unique, and every compressed form stands for a row', (t) => {
  const names = new Set(INSTRUCTIONS.map(({ name }) => name));
  t.is(names.size, INSTRUCTIONS.length);
  t.is(new Set(COMPRESSED.map(({ name }) => name)).size, COMPRESSED.length);
  for (const { base } of COMPRESSED) t.true(names.has(base), base);
});

test('match bits lie within the mask, and a row decodes to itself', (t) => {
  for (const row of INSTRUCTIONS) {
    t.is((row.match & ~row.mask) >>> 0, 0, row.name);
    t.is(decode32(row.match)?.instruction, row);
  }
});

/** Names of operands that a tree reads. */
function operandsOf(node: Stmt | Expr): string[] {
  const own = node.kind === 'operand' ? [node.name] : [];
  const inner = Object.values(node).flatMap((value): (Stmt | Expr)[] => {
    const values: unknown[] = Array.isArray(value) ? value : [value];
    return values.filter(
      (item): item is Stmt | Expr => typeof item === 'object' && item !== null && 'kind' in item,
    );
  });
  return [...own, ...inner.flatMap(operandsOf)];
}

test('semantics read only operands that the row has', (t) => {
  for (const row of INSTRUCTIONS) {
    const used = new Set(row.semantics.flatMap(operandsOf));
    const { rs1, rs2 } = row.files;
    const allowed: readonly (readonly [string, boolean])[] = [
      ['rs1', rs1 === 'x'],
      ['frs1', rs1 === 'f'],
      ['rs2', rs2 === 'x'],
      ['frs2', rs2 === 'f'],
      ['frs3', row.format === 'R4'],
      ['rm', row.rounds],
      ['mem', hasEffect(row, 'amo')],
    ];
    for (const [name, isThere] of allowed) {
      if (!isThere && used.has(name)) t.fail(`${row.name} reads ${name}`);
    }
  }
  t.pass();
});

test('a row assigns the register file of its rd, and a pure row does nothing else', (t) => {
  for (const row of INSTRUCTIONS) {
    for (const stmt of row.semantics) {
      if (stmt.kind === 'assign') t.is(stmt.operand, row.files.rd === 'f' ? 'frd' : 'rd', row.name);
      if (row.pure) t.is(stmt.kind, 'assign', row.name);
    }
  }
});

test('rows that use the FPU say so first', (t) => {
  for (const row of INSTRUCTIONS) {
    const usesFloat = Object.values(row.files).includes('f');
    const [first] = row.semantics;
    const asks = first?.kind === 'effect' && first.name.startsWith('fpu-');
    t.is(asks, usesFloat, row.name);
  }
});
