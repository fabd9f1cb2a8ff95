/**
 * The locals, labels, addresses and imported functions of the generated interpreter: everything
 * that its parts share.
 */

import { assert } from '../../base/assert.js';
import {
  br,
  call,
  drop,
  global,
  label,
  local,
  set,
  type Expr,
  type FunctionSignature,
  type Stmt,
} from '../../wasm/ir.js';
import { i32, i64 } from '../../wasm/ops.js';
import { hartOffset } from '../hart-state.js';
import { MAILBOX, SLOT_BYTES } from '../derived.js';
import { COMPRESSED_FLAG } from './slots.js';
import {
  IMPORTS,
  ZERO,
  type AccessFrame,
  type FrameAddresses,
  type SlowFrame,
} from '../semantics/access-frame.js';

/** Why `run` returned. */
export const EXIT_BUDGET = 0;
/** Interrupts, context or devices may have changed: look again before going on. */
export const EXIT_RECHECK = 1;

/** Makes the bytes of one slot of the flag of a compressed instruction. */
const FLAG_SHIFT = 5;
assert(COMPRESSED_FLAG >> FLAG_SHIFT === SLOT_BYTES, 'a compressed instruction takes one slot');

/** Length of an instruction where a case is for one length only; null where the slot tells. */
export type InstructionBytes = 2 | 4 | null;

/** One instance per generated interpreter. */
export class Frame implements AccessFrame, SlowFrame {
  readonly address: FrameAddresses;
  readonly budget = local('i32');
  /** Address of the slot being executed. */
  readonly slot = local('i32');
  readonly slotBase = local('i32');
  /** Bytes of slots that may be jumped to directly: SLOT_SPAN, or 0 in the cross slots. */
  readonly span = local('i32');
  /** Virtual address of the page of code. */
  readonly pageBase = local('i64');
  /** First word of the slot. */
  readonly low = local('i32');
  readonly dataContext = local('i32');
  readonly target = local('i64');
  readonly virtual = local('i64');
  readonly entry = local('i32');
  readonly host = local('i32');
  readonly value = local('i64');
  readonly memo = null;
  readonly status = local('i32');
  readonly rounding = local('i32');

  /** 1 when compiled code has just asked that the interpreter execute the instruction at pc. */
  readonly bypass = local('i32');

  readonly reload = label();
  readonly next = label();
  /** Continue at `target`, which is not on this page. */
  readonly far = label();
  /** A trap was taken. */
  readonly trap = label();
  /** The instruction is done; leave generated code behind it. */
  readonly leave = label();

  /** Meetings of a jump target after which it is compiled; 0 counts nothing. */
  readonly hotAfter: number;

  constructor(address: FrameAddresses, hotAfter: number) {
    this.address = address;
    this.hotAfter = hotAfter;
  }

  /** pc of the instruction whose slot is at an address on this page. */
  pcOf(slot: Expr<'i32'>): Expr<'i64'> {
    const offset = i32.shrU(i32.sub(slot, this.slotBase), i32.const(2));
    return i64.add(this.pageBase, i64.extendI32U(offset));
  }

  /** pc of the instruction being executed. */
  readonly pc: Expr<'i64'> = this.pcOf(this.slot);

  /**
   * Bytes of slots that the instruction takes. Where it is known how long that is, the next slot
   * can be looked at before this one is there.
   */
  slotAdvance(bytes: InstructionBytes): Expr<'i32'> {
    if (bytes !== null) return i32.const((bytes / 2) * SLOT_BYTES);
    const flag = i32.and(this.low, i32.const(COMPRESSED_FLAG));
    return i32.sub(i32.const(2 * SLOT_BYTES), i32.shrU(flag, i32.const(FLAG_SHIFT)));
  }

  nextPc(bytes: InstructionBytes): Expr<'i64'> {
    return i64.add(this.pc, i64.extendI32U(i32.shrU(this.slotAdvance(bytes), i32.const(2))));
  }

  /** Makes pc and the budget visible to the hart; before every slow operation. */
  synchronise(): readonly Stmt[] {
    return [this.storePc(this.pc), this.storeBudget()];
  }

  storePc(value: Expr<'i64'>): Stmt {
    return i64.store(ZERO, value, this.address.hart + hartOffset('pc'));
  }

  storeBudget(): Stmt {
    return i32.store(ZERO, this.budget, this.address.mailbox + MAILBOX.budgetLeft);
  }

  spendStep(): Stmt {
    return set(this.budget, i32.sub(this.budget, i32.const(1)));
  }

  /** Ends an instruction that falls through. */
  advance(bytes: InstructionBytes): readonly Stmt[] {
    const next = i32.add(this.slot, this.slotAdvance(bytes));
    return [set(this.slot, next), this.spendStep(), br(this.next)];
  }

  fcsr(): Expr<'i32'> {
    return i32.load(ZERO, this.address.hart + hartOffset('fcsr'));
  }

  /** Writes the accrued flags, kept in a global while code runs, to fcsr; and back. */
  saveFlags(): Stmt {
    const kept = i32.and(this.fcsr(), i32.const(~31));
    return i32.store(
      ZERO,
      i32.or(kept, global('i32', 'fflags')),
      this.address.hart + hartOffset('fcsr'),
    );
  }

  loadFlags(): Stmt {
    return {
      kind: 'set-global',
      name: 'fflags',
      value: i32.and(this.fcsr(), i32.const(31)),
    };
  }

  /** The interpreter carries out everything. */
  get slow(): SlowFrame | null {
    return this;
  }

  /** The place of a slot, which has just been jumped to, is worth compiling. */
  becameHot(slot: Expr<'i32'>): readonly Stmt[] {
    return [this.storePc(this.pcOf(slot)), drop(call('i32', IMPORTS.hot, [slot]))];
  }

  leaveUndone(): readonly Stmt[] {
    assert(false, 'the interpreter leaves nothing undone');
  }

  onTrap(): readonly Stmt[] {
    return [br(this.trap)];
  }

  onLeave(): readonly Stmt[] {
    return [br(this.leave)];
  }

  mailbox(field: keyof typeof MAILBOX): number {
    return this.address.mailbox + MAILBOX[field];
  }

  slowCall(target: FunctionSignature, args: readonly Expr[]): Stmt {
    return set(this.status, call('i32', target, args));
  }
}
