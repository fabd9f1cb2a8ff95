/**
 * The part of the interpreter in which most instructions are executed: a function that calls
 * nothing. V8 keeps its state in registers then; beside calls it keeps it on the stack, and loads
 * and stores it around each instruction.
 *
 * What needs a call, be it of the hart, of compiled code or of the float library, is given up to
 * the interpreter before it has begun. The meaning of each instruction is that of the same table,
 * by the same binding.
 */

import {
  block,
  br,
  branchTable,
  brIf,
  global,
  label,
  local,
  loop,
  ret,
  set,
  type Expr,
  type FunctionSignature,
  type Stmt,
} from '../../wasm/ir.js';
import type { ModuleBuilder } from '../../wasm/module.js';
import { i32 } from '../../wasm/ops.js';
import { SLOT_SPAN } from '../derived.js';
import type { FrameAddresses } from '../semantics/access-frame.js';
import { COMPRESSED, type Instruction } from '../table/index.js';
import { rowCase } from './binding.js';
import { countHeat } from './compiled-entry.js';
import { Frame } from './frame.js';
import { lookUpSlot } from './page-lookup.js';
import { COMPRESSED_FLAG, FIRST_ROW, OP_NOP, OP_ROWS } from './slots.js';

/** (budget, slot, address of the page's slots, address of the page, data context): how it ended. */
const FAST_LOOP: FunctionSignature = {
  name: 'fastLoop',
  params: ['i32', 'i32', 'i32', 'i64', 'i32'],
  result: 'i32',
};

/** The instruction at the slot is for the interpreter, or the budget is spent. */
const FAST_GIVEN_UP = 0;
/** The place of the slot was jumped to often. */
export const FAST_HOT = 1;
/** The page of pc, which is stored, is not known. */
export const FAST_RELOAD = 2;

/** Where the loop leaves what it changed. */
const STATE = {
  budget: 'fastBudget',
  slot: 'fastSlot',
  slotBase: 'fastSlotBase',
  pageBase: 'fastPageBase',
} as const;

class FastFrame extends Frame {
  /** How the loop ends. */
  readonly ending = local('i32');
  /** The instruction at the slot is not begun. */
  readonly giveUp = label();

  override get slow(): null {
    return null;
  }

  override leaveUndone(): readonly Stmt[] {
    return [br(this.giveUp)];
  }

  /** The jump is done. */
  override becameHot(slot: Expr<'i32'>): readonly Stmt[] {
    return [
      set(this.slot, slot),
      this.spendStep(),
      set(this.ending, i32.const(FAST_HOT)),
      br(this.giveUp),
    ];
  }
}

export function defineFastLoop(
  module: ModuleBuilder,
  addresses: FrameAddresses,
  hotAfter: number,
): void {
  for (const [name, type] of Object.entries(STATE_TYPES)) module.defineGlobal(name, type);
  const frame = new FastFrame(addresses, hotAfter);
  const { budget, slot, slotBase, pageBase, dataContext } = frame;
  module.define(
    FAST_LOOP,
    [budget, slot, slotBase, pageBase, dataContext],
    [
      set(frame.span, i32.const(SLOT_SPAN)),
      set(frame.ending, i32.const(FAST_GIVEN_UP)),
      block(frame.giveUp, [
        loop(frame.next, [block(frame.far, executeSlot(frame)), ...goFar(frame)]),
      ]),
      ...Object.entries(STATE).map(([field, name]): Stmt => ({
        kind: 'set-global',
        name,
        value: frame[field as keyof typeof STATE],
      })),
      ret(frame.ending),
    ],
  );
}

const STATE_TYPES = {
  [STATE.budget]: 'i32',
  [STATE.slot]: 'i32',
  [STATE.slotBase]: 'i32',
  [STATE.pageBase]: 'i64',
} as const;

/** Runs the loop from the interpreter's state, and takes its over; `status` says how it ended. */
export function runFastLoop(frame: Frame): readonly Stmt[] {
  const { budget, slot, slotBase, pageBase, dataContext } = frame;
  const args = [budget, slot, slotBase, pageBase, dataContext];
  return [
    frame.slowCall(FAST_LOOP, args),
    set(budget, global('i32', STATE.budget)),
    set(slot, global('i32', STATE.slot)),
    set(slotBase, global('i32', STATE.slotBase)),
    set(pageBase, global('i64', STATE.pageBase)),
  ];
}

function executeSlot(frame: FastFrame): readonly Stmt[] {
  const leave = frame.leaveUndone();
  const cases = ([4, 2] as const).flatMap((bytes) =>
    Array.from({ length: COMPRESSED_FLAG }, (_, op): readonly Stmt[] | null => {
      if (op === OP_NOP) return frame.advance(bytes);
      const row = OP_ROWS[op - FIRST_ROW];
      return row !== undefined && isFast(row, bytes) ? rowCase(frame, row, bytes) : null;
    }),
  );
  return [
    brIf(frame.giveUp, i32.eqz(frame.budget)),
    set(frame.low, i32.load(frame.slot)),
    branchTable(i32.and(frame.low, i32.const(COMPRESSED_FLAG * 2 - 1)), cases, leave),
  ];
}

/** Rows that a compressed instruction may stand for. */
const COMPRESSED_ROWS: ReadonlySet<string> = new Set(COMPRESSED.map(({ base }) => base));

/** Rows that need no call. */
function isFast({ extension, name }: Instruction, bytes: 2 | 4): boolean {
  if (bytes === 2 && !COMPRESSED_ROWS.has(name)) return false;
  return extension === 'I' || extension === 'A' || (extension === 'M' && !name.startsWith('mulh'));
}

/** Control goes on at `target`, on another page. */
function goFar(frame: FastFrame): readonly Stmt[] {
  return [
    ...lookUpSlot(frame, frame.target, [
      frame.storePc(frame.target),
      frame.spendStep(),
      set(frame.ending, i32.const(FAST_RELOAD)),
      br(frame.giveUp),
    ]),
    ...countHeat(frame, frame.slot),
    frame.spendStep(),
    br(frame.next),
  ];
}
