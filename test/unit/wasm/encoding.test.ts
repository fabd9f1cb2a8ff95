/**
 * Goal: each load and store is written with the alignment of its width.
 */

import test from 'ava';
import { naturalAlignment } from '../../../lib/wasm/encoding.js';
import { f64, i32, i64 } from '../../../lib/wasm/ops.js';

const at = i32.const(0);
const opOf = (node: { readonly op: number } | object): number => (node as { op: number }).op;

const BY_LOG2 = [
  [i32.load8S(at), i32.load8U(at), i64.load8S(at), i64.load8U(at), i32.store8(at, at)],
  [i32.load16S(at), i32.load16U(at), i64.load16S(at), i64.load16U(at), i32.store16(at, at)],
  [i32.load(at), i64.load32S(at), i64.load32U(at), i32.store(at, at)],
  [i64.load(at), i64.store(at, i64.const(0)), f64.load(at), f64.store(at, f64.const(0))],
] as const;

for (const [log2, nodes] of BY_LOG2.entries()) {
  test(`accesses of ${2 ** log2} bytes are aligned to as much`, (t) => {
    for (const node of nodes) t.is(naturalAlignment(opOf(node)), log2);
  });
}
