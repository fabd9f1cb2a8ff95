/**
 * Goal: a function's locals keep the numbers they were given, a branch counts the labels between,
 * and what may not be left open is an error.
 */

import test from 'ava';
import { FunctionCode, type Openings } from '../../../lib/wasm/function-code.js';
import { label, local, type Relocation } from '../../../lib/wasm/ir.js';

const RESOLVER = { functionIndex: () => 5, globalIndex: () => 0, typeIndex: () => 0 };
const CALLEE = { name: 'callee', params: [], result: null } as const;
const LOCAL_GET = 0x20;
const BR = 0x0c;

const a = local('i32');
const b = local('i64');
const c = local('f64');

function openings(): { readonly open: Openings; readonly relocations: Relocation[] } {
  const relocations: Relocation[] = [];
  return { open: { locals: new Map([[c, 2]]), relocations }, relocations };
}

test('declared locals come behind the parameters, others as they are met', (t) => {
  const code = new FunctionCode(RESOLVER, [a], { declared: [b] });
  for (const entry of [c, b, a]) code.localAccess(LOCAL_GET, entry);
  t.deepEqual([...code.soFar()], [LOCAL_GET, 2, LOCAL_GET, 1, LOCAL_GET, 0]);
  t.is(code.localCount, 3);
});

test('a branch counts the labels that were opened behind its own', (t) => {
  const code = new FunctionCode(RESOLVER, []);
  const [outer, inner] = [label(), label()];
  code.labels.push(outer, inner);
  code.branch(BR, outer);
  code.branch(BR, inner);
  t.deepEqual([...code.soFar()], [BR, 1, BR, 0]);
  t.throws(() => code.branch(BR, label()), { message: /not open/ });
});

test('in a template, a local, a label from outside and a callee are left open', (t) => {
  const { open, relocations } = openings();
  const code = new FunctionCode(RESOLVER, [a], { open });
  const [outside, inside] = [label(), label()];
  code.labels.push(inside);
  code.localAccess(LOCAL_GET, c);
  code.branch(BR, outside);
  code.branch(BR, inside);
  code.callee(CALLEE);
  t.deepEqual([...code.soFar()], [LOCAL_GET, BR, BR, 0]);
  t.deepEqual(relocations, [
    { at: 1, kind: 'local', hole: 2 },
    { at: 2, kind: 'label', label: outside, depth: 1 },
    { at: 4, kind: 'function', target: CALLEE },
  ]);
});

test('hints are offsets behind the declarations of locals', (t) => {
  const code = new FunctionCode(RESOLVER, [a], { declared: [b, c] });
  code.hint('none');
  code.localAccess(LOCAL_GET, a);
  code.hint('likely');
  const { bytes, hints } = code.finish();
  t.deepEqual([...bytes], [2, 1, 0x7e, 1, 0x7c, LOCAL_GET, 0, 0x0b]);
  t.deepEqual(hints, [{ offset: 7, likely: true }]);
});

test('a function leaves no constant open', (t) => {
  const code = new FunctionCode(RESOLVER, []);
  t.throws(() => code.openConstant('i64', 0), { message: /leaves nothing open/ });
});
