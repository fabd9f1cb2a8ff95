/**
 * Where the interpreter meets compiled code: it counts how often jump targets are met, and enters
 * a region through a slot that says OP_COMPILED.
 *
 * Whether and when something is compiled is not part of machine state: with any choice the same
 * instructions are executed with the same results and the same count of steps.
 */

import {
  br,
  brIf,
  call,
  callIndirect,
  label,
  local,
  loop,
  set,
  unlikely,
  when,
  type Expr,
  type FunctionSignature,
  type Local,
  type Stmt,
} from '../../wasm/ir.js';
import { i32, i64 } from '../../wasm/ops.js';
import {
  ENTRY,
  ENTRY_BYTES,
  HEAT_COUNTERS,
  JUMP,
  JUMP_BYTES,
  JUMP_CACHE_ENTRIES,
  SLOT_BYTES,
} from '../derived.js';
import { hartOffset } from '../hart-state.js';
import { IMPORTS, ZERO } from '../semantics/access-frame.js';
import type { Frame } from './frame.js';
import { OP_PAGE_END } from './slots.js';

/** What a region returns: control goes on at pc. */
export const REGION_RELOAD = 0;
/** The same, but the instruction at pc is one for the interpreter, although it is an entry. */
export const REGION_BYPASS = 1;

const REGION: FunctionSignature = { name: 'region', params: ['i32'], result: 'i32' };

/** Counts a meeting of the jump target whose slot is at `slot`. */
export function countHeat(frame: Frame, slot: Expr<'i32'>): readonly Stmt[] {
  const counter = i32.and(i32.shrU(slot, i32.const(2)), i32.const((HEAT_COUNTERS - 1) << 1));
  const { heat } = frame.address;
  if (frame.hotAfter === 0) return [];
  return [
    set(frame.host, counter),
    set(frame.status, i32.add(i32.load16U(frame.host, heat), i32.const(1))),
    i32.store16(frame.host, frame.status, heat),
    unlikely(i32.eq(frame.status, i32.const(frame.hotAfter)), [
      i32.store16(frame.host, ZERO, heat),
      ...frame.becameHot(slot),
    ]),
  ];
}

/** Byte offset of the jump cache's entry for a pc. */
export function jumpOffset(pc: Expr<'i64'>): Expr<'i32'> {
  // Bit 0 of a pc is zero, so that half the size of an entry is the factor.
  const factor = i32.const(JUMP_BYTES / 2);
  return i32.and(i32.mul(i32.wrap(pc), factor), i32.const((JUMP_CACHE_ENTRIES - 1) * JUMP_BYTES));
}

/** The case of OP_COMPILED. */
export function compiledCase(frame: Frame): readonly Stmt[] {
  const number = i32.load(frame.slot, 4);
  const place = frame.entry;
  const field = (name: keyof typeof ENTRY): Expr<'i32'> => i32.load(place, ENTRY[name]);
  const current = i32.and(
    i32.eq(field('epoch'), i32.load(ZERO, frame.mailbox('epoch'))),
    i64.eq(i64.load(place, ENTRY.pc), frame.pc),
  );
  const enough = i32.geS(frame.budget, field('minimumBudget'));
  const free = i32.eqz(frame.bypass);
  return [
    set(place, i32.add(i32.mul(number, i32.const(ENTRY_BYTES)), i32.const(frame.address.entries))),
    when(i32.and(free, enough), [
      unlikely(i32.eqz(current), [
        ...frame.synchronise(),
        set(frame.bypass, i32.eqz(call('i32', IMPORTS.validateEntry, [number]))),
        br(frame.next),
      ]),
      ...enterRegion(frame, place),
    ]),
    set(frame.bypass, ZERO),
    ...executeOriginal(frame, place),
  ];
}

function enterRegion(frame: Frame, place: Local<'i32'>): readonly Stmt[] {
  const field = (name: keyof typeof ENTRY): Expr<'i32'> => i32.load(place, ENTRY[name]);
  const { jumpCache } = frame.address;
  const pc = local('i64');
  const jump = local('i32');
  const chain = label();
  const jumpField = (name: keyof typeof JUMP): Expr<'i32'> =>
    i32.load(jump, jumpCache + JUMP[name]);
  const call = callIndirect('i32', REGION, {
    index: jumpField('function'),
    args: [jumpField('selector')],
  });
  return [
    // Whoever jumps here next finds the region by the jump cache.
    set(pc, frame.pc),
    set(jump, jumpOffset(pc)),
    i64.store(jump, pc, jumpCache + JUMP.pc),
    ...(['function', 'selector', 'epoch', 'minimumBudget'] as const).map((name) =>
      i32.store(jump, field(name), jumpCache + JUMP[name]),
    ),
    frame.storeBudget(),
    loop(chain, [
      set(frame.status, call),
      set(frame.budget, i32.load(ZERO, frame.mailbox('budgetLeft'))),
      // A region that is left for another one is followed without a look at slots.
      when(i32.eqz(frame.status), [
        set(pc, i64.load(ZERO, frame.address.hart + hartOffset('pc'))),
        set(jump, jumpOffset(pc)),
        brIf(
          chain,
          i32.and(
            i32.and(
              i64.eq(i64.load(jump, jumpCache + JUMP.pc), pc),
              i32.eq(jumpField('epoch'), i32.load(ZERO, frame.mailbox('epoch'))),
            ),
            i32.geS(frame.budget, jumpField('minimumBudget')),
          ),
        ),
      ]),
    ]),
    set(frame.bypass, i32.eq(frame.status, i32.const(REGION_BYPASS))),
    br(frame.reload),
  ];
}

/**
 * Executes the instruction that the slot held before, from the cross slots, which pretend to lie
 * at the same place of the page; the slots behind it lead back to the page.
 */
function executeOriginal(frame: Frame, place: Local<'i32'>): readonly Stmt[] {
  const { cross } = frame.address;
  return [
    set(frame.slotBase, i32.sub(i32.const(cross), i32.sub(frame.slot, frame.slotBase))),
    i32.store(ZERO, i32.load(place, ENTRY.originalLow), cross),
    i32.store(ZERO, i32.load(place, ENTRY.originalImm), cross + 4),
    i32.store(ZERO, i32.const(OP_PAGE_END), cross + SLOT_BYTES),
    set(frame.slot, i32.const(cross)),
    set(frame.span, ZERO),
    br(frame.next),
  ];
}
