/** How the interpreter finds the slots of a place: by the fetch TLB, a page at a time. */

import { local, set, unlikely, type Local, type Stmt } from '../../wasm/ir.js';
import { i32, i64 } from '../../wasm/ops.js';
import { FETCH_ENTRIES } from '../derived.js';
import { ZERO } from '../semantics/access-frame.js';
import type { Frame } from './frame.js';

/** Goes to the slot of `pc`; `miss`, which does not come back, where the TLB lacks its page. */
export function lookUpSlot(frame: Frame, pc: Local<'i64'>, miss: readonly Stmt[]): readonly Stmt[] {
  const entry = local('i32');
  const page = i64.and(pc, i64.const(-4096n));
  const index = i32.and(i32.wrap(i64.shrU(pc, i64.const(8))), i32.const((FETCH_ENTRIES - 1) << 4));
  const halfword = i32.and(i32.wrap(pc), i32.const(0xffe));
  return [
    set(entry, i32.add(i32.load(ZERO, frame.mailbox('fetchContext')), index)),
    unlikely(i64.ne(i64.load(entry), page), miss),
    set(frame.pageBase, page),
    set(frame.slotBase, i32.load(entry, 8)),
    set(frame.slot, i32.add(frame.slotBase, i32.shl(halfword, i32.const(2)))),
  ];
}
