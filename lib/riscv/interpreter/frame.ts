/**
 * The locals, labels, addresses and imported functions of the generated interpreter: everything
 * that its parts share.
 */

import {
  br,
  call,
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

/** Why `run` returned. */
export const EXIT_BUDGET = 0;
/** Interrupts, context or devices may have changed: look again before going on. */
export const EXIT_RECHECK = 1;

/** What slow operations report. */
export const STATUS_DONE = 0;
/** A trap was taken: pc holds the handler's address. */
export const STATUS_TRAP = 1;
/** Done, but leave generated code behind this instruction. */
export const STATUS_LEAVE = 2;
/** Done, and pc already holds where to go on. */
export const STATUS_REDIRECTED = 3;

const i32s = (count: number): readonly 'i32'[] => Array.from({ length: count }, () => 'i32');
const slow = (name: string, params: number): FunctionSignature => ({
  name,
  params: i32s(params),
  result: 'i32',
});

/** Functions of the hart that generated code calls; all return a status unless noted. */
export const IMPORTS = {
  /** (va low, va high, bytes): value in the mailbox, zero-extended. */
  readSlow: slow('readSlow', 3),
  /** (va low, va high, bytes): value from the mailbox. */
  writeSlow: slow('writeSlow', 3),
  /** (va low, va high, bytes, write): host address for LR, SC and AMO, or 0 after a trap. */
  atomicAddress: slow('atomicAddress', 4),
  /** (host address, bytes): a store by SC or AMO hit a page with code or page tables. */
  specialStore: slow('specialStore', 2),
  /** Fills the fetch TLB for pc. */
  fetchSlow: slow('fetchSlow', 0),
  /** (slot address): decodes the instruction of the slot. */
  decodeSlot: slow('decodeSlot', 1),
  /** Decodes the page-crossing instruction at pc into the cross slots. */
  fetchCross: slow('fetchCross', 0),
  /** (low word of the slot, imm): Zicsr and privileged instructions. */
  system: slow('system', 2),
  /** (writes): the FPU is off or not yet dirty. */
  fpuAccess: slow('fpuAccess', 1),
  /** (instruction bits): raises illegal instruction. */
  illegal: slow('illegal', 1),
  /** (va low, va high): cbo.zero where the fast way does not apply. */
  zeroBlock: slow('zeroBlock', 2),
} as const;

export interface FrameAddresses {
  /** Byte offset of the hart's block. */
  readonly hart: number;
  readonly mailbox: number;
  readonly cross: number;
  readonly ram: number;
}

export const ZERO = i32.const(0);

/** Where results go: how `rd` and `frd` are written. */
export interface RegisterFile {
  assign(name: string, value: Expr): readonly Stmt[];
}

/** One instance per generated interpreter. */
export class Frame {
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
  readonly status = local('i32');
  readonly rounding = local('i32');

  readonly reload = label();
  readonly next = label();
  /** Continue at `target`, which is not on this page. */
  readonly far = label();
  /** A trap was taken. */
  readonly trap = label();
  /** The instruction is done; leave generated code behind it. */
  readonly leave = label();

  constructor(address: FrameAddresses) {
    this.address = address;
  }

  /** pc of the instruction being executed. */
  readonly pc: Expr<'i64'> = i64.add(
    this.pageBase,
    i64.extendI32U(i32.shrU(i32.sub(this.slot, this.slotBase), i32.const(2))),
  );

  /** Bytes of slots that the instruction takes: 16, or 8 if compressed. */
  readonly slotAdvance: Expr<'i32'> = i32.sub(
    i32.const(2 * SLOT_BYTES),
    i32.shl(i32.shrU(this.low, i32.const(31)), i32.const(3)),
  );

  readonly nextPc: Expr<'i64'> = i64.add(
    this.pc,
    i64.extendI32U(i32.shrU(this.slotAdvance, i32.const(2))),
  );

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
  advance(): readonly Stmt[] {
    return [set(this.slot, i32.add(this.slot, this.slotAdvance)), this.spendStep(), br(this.next)];
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

  mailbox(field: keyof typeof MAILBOX): number {
    return this.address.mailbox + MAILBOX[field];
  }

  slowCall(target: FunctionSignature, args: readonly Expr[]): Stmt {
    return set(this.status, call('i32', target, args));
  }
}
