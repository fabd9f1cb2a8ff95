/**
 * Goal: a tree is plain data: it can be emitted any number of times, and building it changes
 * nothing.
 * Method: one tree in two functions and two modules; identity of locals and labels.
 */

import test from 'ava';
import { block, br, label, local, ret, set, unlikely, when } from '../../../lib/wasm/ir.js';
import { i32 } from '../../../lib/wasm/ops.js';
import { build } from './fixture.js';

test('one tree emitted twice gives the same bytes', (t) => {
  const a = local('i32');
  const out = label();
  const body = [
    block(out, [unlikely(a, [br(out)]), set(a, i32.const(4))]),
    ret(i32.mul(a, i32.const(3))),
  ];
  const first = build({ params: [a], result: 'i32', body });
  const second = build({ params: [a], result: 'i32', body });
  t.deepEqual(first.bytes, second.bytes);
  t.deepEqual([first.run(0), second.run(5)], [12, 15]);
});

test('locals and labels are told apart by identity alone', (t) => {
  t.not(local('i32'), local('i32'));
  t.not(label(), label());
  const [a, b] = [local('i32'), local('i32')];
  const { run } = build({ params: [a], result: 'i32', body: [set(b, i32.const(1)), ret(a)] });
  t.is(run(7), 7);
});

test('the same statement may stand twice in one body', (t) => {
  const a = local('i32');
  const step = when(i32.ltS(a, i32.const(10)), [set(a, i32.add(a, a))]);
  const { run } = build({ params: [a], result: 'i32', body: [step, step, step, ret(a)] });
  t.deepEqual([run(1), run(3), run(50)], [8, 12, 50]);
});
