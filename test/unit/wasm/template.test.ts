/**
 * Goal: statements used as a template do what they do when they are emitted in place, wherever the
 * template is used; what can't be in a template is refused.
 */

import test from 'ava';
import {
  block,
  br,
  call,
  global,
  hole,
  label,
  local,
  ret,
  set,
  useTemplate,
  when,
} from '../../../lib/wasm/ir.js';
import { i32, i64 } from '../../../lib/wasm/ops.js';
import { emitTemplate, type TemplateContext } from '../../../lib/wasm/template.js';
import { build, importOf } from './fixture.js';

const a = local('i32');
const b = local('i32');
const source = local('i32');
const result = local('i64');
const CONTEXT: TemplateContext = {
  locals: [a, b, result],
  holes: new Map([[source, 0]]),
  globals: [],
};
const SIGNED = [0, 1, -1, 63, 64, -64, -65, 8191, -8192, 2 ** 31 - 1, -(2 ** 31)];
const WIDE = [
  ...[2 ** 31, -(2 ** 31) - 1, 2 ** 53 - 1, 1 - 2 ** 53, 2 ** 40, -(2 ** 40) - 7],
  ...[2n ** 63n - 1n, -(2n ** 63n), 0xffff_ffe0_0000_1000n - 2n ** 64n, 5n],
];

test('a local that is left open is another one with each use', (t) => {
  const template = emitTemplate([set(b, i32.add(b, i32.mul(source, i32.const(3))))], CONTEXT);
  const { run } = build({
    params: [a, b],
    result: 'i32',
    body: [useTemplate(template, [0]), useTemplate(template, [1]), ret(b)],
  });
  t.is(run(2, 5), (5 + 6) * 4);
});

for (const value of [...SIGNED, ...WIDE]) {
  test(`a constant that is left open may be ${value}`, (t) => {
    const template = emitTemplate([set(result, hole('i64', 1))], CONTEXT);
    const { run } = build({
      params: [a, b],
      result: 'i64',
      body: [useTemplate(template, [0, value]), ret(result)],
      declared: [result],
    });
    t.is(run(0, 0), BigInt(value));
  });
}

test('a branch leaves the template for a label around its use, however deep both are', (t) => {
  const out = label();
  const inner = label();
  const leave = [when(source, [when(source, [set(b, i32.const(7)), br(out)])])];
  const template = emitTemplate([block(inner, leave)], CONTEXT);
  const { run } = build({
    params: [a, b],
    result: 'i32',
    body: [
      block(out, [
        block(label(), [when(b, [useTemplate(template, [0])]), set(b, i32.const(1))]),
        set(b, i32.add(b, i32.const(10))),
      ]),
      ret(b),
    ],
  });
  t.deepEqual([run(1, 1), run(0, 1), run(1, 0)], [7, 11, 11]);
});

test('a function is found by its name in the module that uses the template', (t) => {
  const imports = { other: () => 1, double: (x = 0) => x * 2 };
  const doubled = call('i32', importOf('double'), [source, i32.const(0)]);
  const template = emitTemplate([set(b, doubled)], CONTEXT);
  t.deepEqual(
    template.relocations.map(({ kind }) => kind),
    ['local', 'function'],
  );
  const { run } = build({
    params: [a, b],
    result: 'i32',
    imports,
    body: [useTemplate(template, [0]), ret(b)],
  });
  t.is(run(21, 0), 42);
});

test('hints of a template are hints of each use', (t) => {
  const hinted = [when(source, [set(b, i32.const(1))], [set(b, i32.const(2))], 'likely')];
  const twice = (inPlace: boolean) => {
    const template = emitTemplate(hinted, CONTEXT);
    const body = inPlace
      ? [0, 0].flatMap(() => [when(a, [set(b, i32.const(1))], [set(b, i32.const(2))], 'likely')])
      : [useTemplate(template, [0]), useTemplate(template, [0])];
    return build({ params: [a, b], result: 'i32', body: [...body, ret(b)] }).bytes;
  };
  t.deepEqual(twice(false), twice(true));
});

test('a hole that is given nothing is an error, and no other code', (t) => {
  const constant = emitTemplate([set(result, hole('i64', 1))], CONTEXT);
  const open = emitTemplate([set(b, source)], CONTEXT);
  const used = (template: typeof open, values: readonly number[]) => () =>
    build({ params: [a, b], declared: [result], body: [useTemplate(template, values)] });
  t.throws(used(constant, [0]), { message: /value of a hole/ });
  t.throws(used(open, []), { message: /a local for a hole/ });
  t.throws(used(open, [-1]), { message: /a local for a hole/ });
});

test('what is no part of the context is refused', (t) => {
  const stranger = local('i64');
  const refused = (body: Parameters<typeof emitTemplate>[0], message: RegExp): void => {
    t.throws(() => emitTemplate(body, CONTEXT), { message });
  };
  refused([set(stranger, i64.const(1))], /a local of its own/);
  refused([set(a, global('i32', 'flags'))], /a global that is not named/);
});

test('a function leaves nothing open', (t) => {
  const body = [set(a, hole('i32', 0)), ret(a)];
  t.throws(() => build({ params: [a], result: 'i32', body }), { message: /leaves nothing open/ });
  const template = emitTemplate([br(label())], CONTEXT);
  const used = [useTemplate(template, []), ret(a)];
  t.throws(() => build({ params: [a], result: 'i32', body: used }), { message: /not open/ });
});
