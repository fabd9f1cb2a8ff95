/**
 * Goal: every kind of node becomes valid code that does what the tree says.
 * Method: one function for each kind, run by the host.
 */

import test from 'ava';
import {
  UNREACHABLE,
  assign,
  block,
  bound,
  br,
  branchTable,
  brIf,
  call,
  callVoid,
  choose,
  drop,
  effect,
  global,
  label,
  local,
  loop,
  operand,
  ret,
  select,
  set,
  setGlobal,
  tee,
  when,
  type Binding,
} from '../../../lib/wasm/ir.js';
import { f32, f64, i32, i64 } from '../../../lib/wasm/ops.js';
import { setEngineFlags } from '../../../lib/host/engine-flags.js';
import { build, importOf } from './fixture.js';

const a = local('i32');
const b = local('i32');

test('locals, constants, tee and arithmetic', (t) => {
  const x = local('i64');
  const { run } = build({
    params: [a, b],
    result: 'i64',
    body: [set(x, i64.extendI32S(tee(a, i32.add(a, b)))), ret(i64.add(x, i64.const(1n << 40n)))],
  });
  t.is(run(2, 3), (1n << 40n) + 5n);
  t.is(run(-2, 1), (1n << 40n) - 1n);
});

test('an addition of zero is left out, wherever it comes from', (t) => {
  const sum = (value: number) =>
    build({ params: [a], result: 'i32', body: [ret(i32.add(a, i32.const(value)))] });
  t.true(sum(0).bytes.length < sum(1).bytes.length);
  t.is(sum(0).run(7), 7);
});

test('locals of mixed types are declared in runs', (t) => {
  const wide = local('i64');
  const real = local('f64');
  const { run } = build({
    params: [a],
    result: 'i32',
    body: [
      set(wide, i64.extendI32U(a)),
      set(b, i32.wrap(wide)),
      set(real, f64.convertI64S(i64.extendI32U(b))),
      ret(i32.wrap(i64.truncSatF64S(f64.mul(real, f64.const(1.5))))),
    ],
  });
  t.is(run(10), 15);
});

test('select evaluates both arms, choose only one', (t) => {
  let calls = 0;
  const imports = { note: (x = 0) => (calls++, x) };
  const note = (value: number) => call('i32', importOf('note'), [i32.const(value), i32.const(0)]);
  const both = build({
    params: [a],
    result: 'i32',
    imports,
    body: [ret(select(a, note(1), note(2)))],
  });
  t.is(both.run(1), 1);
  t.is(both.run(0), 2);
  t.is(calls, 4);
  const one = build({
    params: [a],
    result: 'i32',
    imports,
    body: [ret(choose(a, note(1), note(2)))],
  });
  t.is(one.run(1), 1);
  t.is(one.run(0), 2);
  t.is(calls, 6);
});

test('blocks, loops and branches: a sum', (t) => {
  const done = label();
  const again = label();
  const { run } = build({
    params: [a],
    result: 'i32',
    body: [
      block(done, [
        loop(again, [
          brIf(done, i32.eqz(a), 'unlikely'),
          set(b, i32.add(b, a)),
          set(a, i32.sub(a, i32.const(1))),
          br(again),
        ]),
      ]),
      ret(b),
    ],
  });
  t.is(run(100), 5050);
});

test('if with and without else', (t) => {
  const { run } = build({
    params: [a],
    result: 'i32',
    body: [
      when(a, [set(b, i32.const(1))], [set(b, i32.const(2))], 'likely'),
      when(i32.gtS(a, i32.const(5)), [set(b, i32.add(b, i32.const(10)))]),
      ret(b),
    ],
  });
  t.deepEqual([run(0), run(1), run(6)], [2, 1, 11]);
});

test('a branch table runs one case and goes on behind it', (t) => {
  const cases = [0, 1, 2].map((index) => [set(b, i32.const(index * 10))]);
  const { run } = build({
    params: [a],
    result: 'i32',
    body: [branchTable(a, cases, [set(b, i32.const(99))]), ret(i32.add(b, i32.const(1)))],
  });
  t.deepEqual([run(0), run(1), run(2), run(3), run(-1)], [1, 11, 21, 100, 100]);
});

test('branches leave a branch table from within a case', (t) => {
  const out = label();
  const again = label();
  const { run } = build({
    params: [a],
    result: 'i32',
    body: [
      block(out, [
        loop(again, [
          branchTable(a, [[br(out)], [set(a, i32.const(0)), br(again)]], [set(a, i32.const(1))]),
          set(b, i32.add(b, i32.const(1))),
          br(again),
        ]),
      ]),
      ret(b),
    ],
  });
  t.is(run(5), 1);
});

test('loads and stores of every width take offset and alignment', (t) => {
  const value = local('i64');
  const { run, memory } = build({
    params: [a, value],
    result: 'i64',
    body: [
      i64.store(a, value, 8),
      i64.store32(a, value, 16),
      i64.store16(a, value, 20),
      i64.store8(a, value, 22),
      i32.store(a, i32.wrap(value), 24),
      i32.store16(a, i32.wrap(value), 28),
      i32.store8(a, i32.wrap(value), 30),
      ret(i64.xor(i64.load8S(a, 8), i64.load16U(a, 9))),
    ],
  });
  t.is(run(1, 0x1122_3344_5566_77f8n), BigInt.asIntN(64, -8n ^ 0x6677n));
  const bytes = [...new Uint8Array(memory.buffer, 9, 23)]
    .map((byte) => byte.toString(16))
    .join(' ');
  t.is(bytes, 'f8 77 66 55 44 33 22 11 f8 77 66 55 f8 77 f8 0 f8 77 66 55 f8 77 f8');
});

test('globals keep their value between calls', (t) => {
  const { run } = build({
    result: 'i32',
    globals: [
      ['first', 'i64'],
      ['count', 'i32'],
    ],
    body: [
      setGlobal('count', i32.add(global('i32', 'count'), i32.const(2))),
      ret(global('i32', 'count')),
    ],
  });
  t.deepEqual([run(), run()], [2, 4]);
});

test('calls as statements, drop, return without a value', (t) => {
  const seen: number[][] = [];
  const note = (x = 0, y = 0): number => seen.push([x, y]);
  const { run } = build({
    params: [a],
    imports: { note },
    body: [
      drop(call('i32', importOf('note'), [a, i32.const(1)])),
      when(a, [ret()]),
      drop(call('i32', importOf('note'), [a, i32.const(2)])),
    ],
  });
  t.is(run(5), undefined);
  run(0);
  t.deepEqual(seen, [
    [5, 1],
    [0, 1],
    [0, 2],
  ]);
});

test('unreachable traps', (t) => {
  t.throws(() => build({ body: [UNREACHABLE] }).run(), { message: /unreachable/ });
});

test('operands, assigns and effects mean what the binding says', (t) => {
  const binding: Binding = {
    operand: (name) => i64.load(i32.const(0), name === 'rs1' ? 8 : 16),
    assign: (name, value) => [
      i64.store(i32.const(0), value as ReturnType<typeof i64.const>, name === 'rd' ? 24 : 32),
    ],
    effect: (name, args) => [assign(name, args[0] ?? i64.const(0))],
  };
  const body = [
    assign('rd', i64.add(operand('i64', 'rs1'), operand('i64', 'rs2'))),
    effect('twice', [operand('i64', 'rs1')]),
  ];
  const { run, memory } = build({ body: [bound(binding, body)] });
  memory.setBigUint64(8, 5n, true);
  memory.setBigUint64(16, 7n, true);
  run();
  t.is(memory.getBigUint64(24, true), 12n);
  t.is(memory.getBigUint64(32, true), 5n);
});

test('a binding holds inside its statements only, and an inner one hides it', (t) => {
  const constant = (value: bigint): Binding => ({
    operand: () => i64.const(value),
    assign: () => [],
    effect: () => [],
  });
  const x = local('i64');
  const add = set(x, i64.add(x, operand('i64', 'rs1')));
  const inner = bound(constant(10n), [add]);
  const { run } = build({ result: 'i64', body: [bound(constant(1n), [add, inner, add]), ret(x)] });
  t.is(run(), 12n);
  t.throws(() => build({ body: [bound(constant(1n), []), add] }), { message: /without a binding/ });
});

test('a name without a binding, and a branch to a closed label, are refused', (t) => {
  t.throws(() => build({ body: [drop(operand('i64', 'rs1'))] }), { message: /without a binding/ });
  t.throws(() => build({ body: [br(label())] }), { message: /not open/ });
  t.throws(() => build({ body: [callVoid(importOf('nobody'), [])] }), {
    message: /no function nobody/,
  });
  t.throws(() => build({ body: [setGlobal('x', i32.const(1))] }), { message: /no global x/ });
});

test('a multiply-add is exact where two roundings do no harm', (t) => {
  setEngineFlags();
  const doubles = [local('f64'), local('f64'), local('f64')] as const;
  const wide = build({ params: doubles, result: 'f64', body: [ret(f64.multiplyAdd(...doubles))] });
  t.is(wide.run(3, 5, -7), 8);
  const singles = [local('f32'), local('f32'), local('f32')] as const;
  const narrow = build({
    params: singles,
    result: 'f32',
    body: [ret(f32.multiplyAdd(...singles))],
  });
  t.is(narrow.run(1.5, -2, 0.25), -2.75);
});
