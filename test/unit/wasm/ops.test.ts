/**
 * Goal: each constructor has the opcode of its name.
 * Method: run every operation on values at the borders and compare with the host's arithmetic.
 */

import test from 'ava';
import { local, ret, type Expr } from '../../../lib/wasm/ir.js';
import { f32, f64, i32, i64 } from '../../../lib/wasm/ops.js';
import { build } from './fixture.js';

const VALUES = [0, 1, -1, 2, 31, 33, 255, -128, 0x7fff_ffff, -0x8000_0000, 0x1234_5678];
const WIDE = [...VALUES.map(BigInt), 1n << 63n, (1n << 63n) - 1n, -5n, 0x1234_5678_9abc_def0n, 64n];
const s64 = (value: bigint): bigint => BigInt.asIntN(64, value);
const u64 = (value: bigint): bigint => BigInt.asUintN(64, value);
const rotate = (value: bigint, bits: bigint, width: bigint): bigint =>
  (value << bits) | (value >> (width - bits));
const ones = (value: bigint): bigint =>
  BigInt(Array.from(value.toString(2)).filter((c) => c === '1').length);

/** Meaning by big integers: x and y signed, ux and uy unsigned, of `width` bits. */
type Meaning = (v: {
  x: bigint;
  y: bigint;
  ux: bigint;
  uy: bigint;
  width: bigint;
}) => bigint | boolean;
const BINARY: Readonly<Record<string, Meaning>> = {
  add: ({ x, y }) => x + y,
  sub: ({ x, y }) => x - y,
  mul: ({ x, y }) => x * y,
  and: ({ x, y }) => x & y,
  or: ({ x, y }) => x | y,
  xor: ({ x, y }) => x ^ y,
  shl: ({ x, uy, width }) => x << (uy % width),
  shrS: ({ x, uy, width }) => x >> (uy % width),
  shrU: ({ ux, uy, width }) => ux >> (uy % width),
  rotl: ({ ux, uy, width }) => rotate(ux, uy % width, width),
  rotr: ({ ux, uy, width }) => rotate(ux, width - (uy % width), width),
  eq: ({ x, y }) => x === y,
  ne: ({ x, y }) => x !== y,
  ltS: ({ x, y }) => x < y,
  ltU: ({ ux, uy }) => ux < uy,
  gtS: ({ x, y }) => x > y,
  gtU: ({ ux, uy }) => ux > uy,
  leS: ({ x, y }) => x <= y,
  leU: ({ ux, uy }) => ux <= uy,
  geS: ({ x, y }) => x >= y,
  geU: ({ ux, uy }) => ux >= uy,
  divU: ({ ux, uy }) => ux / uy,
  remU: ({ ux, uy }) => ux % uy,
  divS: ({ x, y }) => x / y,
  remS: ({ x, y }) => x % y,
};
const UNARY: Readonly<Record<string, Meaning>> = {
  eqz: ({ x }) => x === 0n,
  clz: ({ ux, width }) => width - (ux === 0n ? 0n : BigInt(ux.toString(2).length)),
  ctz: ({ ux, width }) =>
    ux === 0n ? width : BigInt(ux.toString(2).split('1').pop()?.length ?? 0),
  popcnt: ({ ux }) => ones(ux),
  extend8S: ({ x }) => BigInt.asIntN(8, x),
  extend16S: ({ x }) => BigInt.asIntN(16, x),
};

function expected(meaning: Meaning, width: 32 | 64, [x, y]: readonly [bigint, bigint]): bigint {
  const [sx, sy] = [BigInt.asIntN(width, x), BigInt.asIntN(width, y)];
  const [ux, uy] = [BigInt.asUintN(width, x), BigInt.asUintN(width, y)];
  const value = meaning({ x: sx, y: sy, ux, uy, width: BigInt(width) });
  return typeof value === 'boolean' ? BigInt(value) : BigInt.asIntN(width, value);
}

/** Divisions that trap in WebAssembly. */
const traps = (name: string, x: bigint, y: bigint, width: number): boolean =>
  /^(?:div|rem)/.test(name) && (y === 0n || (y === -1n && x === -(1n << BigInt(width - 1))));

test('32-bit operations', (t) => {
  const [a, b] = [local('i32'), local('i32')];
  for (const [name, meaning] of [...Object.entries(BINARY), ...Object.entries(UNARY)]) {
    const make = i32[name as 'add'];
    const { run } = build({ params: [a, b], result: 'i32', body: [ret(make(a, b))] });
    for (const x of VALUES) {
      for (const y of VALUES) {
        if (traps(name, BigInt(x), BigInt(y), 32)) continue;
        const found = BigInt(run(x, y) ?? 0);
        if (found !== expected(meaning, 32, [BigInt(x), BigInt(y)])) t.fail(`${name} ${x} ${y}`);
      }
    }
  }
  t.pass();
});

test('64-bit operations', (t) => {
  const [a, b] = [local('i64'), local('i64')];
  const unary = { ...UNARY, extend32S: ({ x }: { x: bigint }) => BigInt.asIntN(32, x) };
  for (const [name, meaning] of [...Object.entries(BINARY), ...Object.entries(unary)]) {
    const node: Expr = i64[name as 'add'](a, b);
    const { run } = build({ params: [a, b], result: node.type, body: [ret(node)] });
    for (const x of WIDE) {
      for (const y of WIDE) {
        if (traps(name, s64(x), s64(y), 64)) continue;
        const found = BigInt(run(x, y) ?? 0);
        if (found !== expected(meaning, 64, [x, y])) t.fail(`${name} ${x} ${y}`);
      }
    }
  }
  t.pass();
});

test('conversions between widths', (t) => {
  const [narrow, wide] = [local('i32'), local('i64')];
  const wrap = build({ params: [wide], result: 'i32', body: [ret(i32.wrap(wide))] });
  const signed = build({ params: [narrow], result: 'i64', body: [ret(i64.extendI32S(narrow))] });
  const unsigned = build({ params: [narrow], result: 'i64', body: [ret(i64.extendI32U(narrow))] });
  for (const value of VALUES) {
    t.is(signed.run(value), BigInt(value));
    t.is(unsigned.run(value), BigInt(value >>> 0));
  }
  for (const value of WIDE) t.is(wrap.run(value), Number(BigInt.asIntN(32, value)));
});

test('floating-point operations', (t) => {
  const [x, y] = [local('f64'), local('f64')];
  const binary: Readonly<Record<'add' | 'sub' | 'mul' | 'div', (a: number, b: number) => number>> =
    {
      add: (a, b) => a + b,
      sub: (a, b) => a - b,
      mul: (a, b) => a * b,
      div: (a, b) => a / b,
    };
  const narrow = (node: Expr<'f64'>): Expr<'f32'> => f32.demote(node);
  for (const [name, meaning] of Object.entries(binary) as [
    'add',
    (a: number, b: number) => number,
  ][]) {
    const double = build({ params: [x, y], result: 'f64', body: [ret(f64[name](x, y))] });
    const single = f64.promote(f32[name](narrow(x), narrow(y)));
    const float = build({ params: [x, y], result: 'f64', body: [ret(single)] });
    for (const [a, b] of [
      [1.5, 2.25],
      [1, 3],
      [-7, 0.1],
    ] as const) {
      t.is(double.run(a, b), meaning(a, b));
      t.is(float.run(a, b), Math.fround(meaning(Math.fround(a), Math.fround(b))));
    }
  }
  const compare = { eq: f64.eq(x, y), lt: f64.lt(x, y), le: f64.le(x, y) };
  const results = Object.values(compare).map((node) => {
    const { run } = build({ params: [x, y], result: 'i32', body: [ret(node)] });
    return [run(1, 2), run(2, 2), run(3, 2), run(NaN, 2)];
  });
  t.deepEqual(results, [
    [0, 1, 0, 0],
    [1, 0, 0, 0],
    [1, 1, 0, 0],
  ]);
  const root = build({ params: [x], result: 'f64', body: [ret(f64.sqrt(x))] });
  t.is(root.run(2), Math.SQRT2);
  const bits = build({ params: [x], result: 'i64', body: [ret(i64.reinterpretF64(x))] });
  t.is(u64(BigInt(bits.run(1) ?? 0)), 0x3ff0_0000_0000_0000n);
});
