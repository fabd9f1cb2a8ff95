/**
 * Goal: a region has a local for each register that its code names, with the index that templates
 * are given, and stores back what the code writes and no more.
 */

import test from 'ava';
import { F_OFFSET, X_OFFSET } from '../../../lib/riscv/hart-state.js';
import { FIXED_LOCALS, LOCALS, RegionLocals } from '../../../lib/jit/region-locals.js';
import type { Local, Stmt } from '../../../lib/wasm/ir.js';
import { regionOf } from '../../support/region.js';

const ADDRESSES = {
  ...{ hart: 0x1000, mailbox: 0x3000, cross: 0, ram: 0 },
  ...{ heat: 0, entries: 0, jumpCache: 0 },
};
const INTEGERS = 'add a0,a1,a2\n  add a0,a0,zero\n  ebreak';
const FLOATS = 'fadd.d fa0,fa1,fa0\n  addi a3,a3,1\n  ebreak';
const X = (number: number): number => ADDRESSES.hart + X_OFFSET + number * 8;
const F = (number: number): number => ADDRESSES.hart + F_OFFSET + number * 8;

const localsOf = (source: string): RegionLocals => new RegionLocals(regionOf(source), ADDRESSES);

/** Addresses of registers that statements store to. */
const storedTo = (statements: readonly Stmt[]): number[] =>
  statements
    .flatMap((stmt) => (stmt.kind === 'store' ? [stmt.offset] : []))
    .filter((offset) => offset >= X(0) && offset < F(32))
    .sort((a, b) => a - b);

for (const [name, source, registers] of [
  ['integers', INTEGERS, { x: [10, 11, 12], f: [] }],
  ['floats', FLOATS, { x: [13], f: [10, 11] }],
] as const) {
  test(`each register has an index of its own, the one it is declared at (${name})`, (t) => {
    const locals = localsOf(source);
    const all = [LOCALS.selector, ...locals.declared];
    const indices = [
      ...registers.x.map((number) => locals.index('x', number)),
      ...registers.f.map((number) => locals.index('f', number)),
    ];
    t.is(new Set(indices).size, indices.length);
    t.is(all.length, Math.max(...indices) + 1);
    for (const number of registers.x) {
      const read: unknown = locals.read(number);
      t.is(all[locals.index('x', number)], read as Local);
    }
    for (const number of registers.f) t.is(all[locals.index('f', number)]?.type, 'f64');
  });

  test(`the locals that each region has come first, as templates expect them (${name})`, (t) => {
    const all = [LOCALS.selector, ...localsOf(source).declared];
    const fixed = all.filter((entry) => FIXED_LOCALS.includes(entry));
    t.deepEqual(all.slice(0, fixed.length), FIXED_LOCALS.slice(0, fixed.length));
  });
}

test('only what is written is stored back', (t) => {
  t.deepEqual(storedTo(localsOf(INTEGERS).epilogue()), [X(10)]);
  t.deepEqual(storedTo(localsOf(FLOATS).epilogue()), [X(13), F(10)]);
});

test('x0 is zero and has no local, nor does what the region does not name', (t) => {
  const locals = localsOf(INTEGERS);
  t.like(locals.read(0), { kind: 'const', value: 0n });
  t.is(locals.index('x', 0), -1);
  t.is(locals.index('-', 3), -1);
  t.throws(() => locals.index('x', 20));
});

test('only code with floating point looks at the state of the FPU', (t) => {
  t.false(localsOf(INTEGERS).hasFloats);
  t.true(localsOf(FLOATS).hasFloats);
  t.false(localsOf(INTEGERS).declared.includes(LOCALS.floatUsable));
});
