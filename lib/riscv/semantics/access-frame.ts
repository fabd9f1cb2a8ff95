/**
 * What the two tiers have in common where generated code meets the hart: the functions it calls,
 * the status they report, and the locals that a memory access needs.
 *
 * The interpreter and a compiled region implement `AccessFrame`; the effects of this folder are
 * written once against it.
 */

import type { Expr, FunctionSignature, Local, Stmt } from '../../wasm/ir.js';
import { i32 } from '../../wasm/ops.js';
import type { MAILBOX } from '../derived.js';

/** What slow operations report. */
export const STATUS_DONE = 0;
/** A trap was taken: pc holds the handler's address. */
export const STATUS_TRAP = 1;
/** Done; pc holds where to go on, and there is nothing else to look at. */
export const STATUS_RESUME = STATUS_TRAP;
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
  /** (slot address): a jump target has become hot; pc is stored. */
  hot: slow('hot', 1),
  /** (entry number): 1 if the region there is still what memory holds, for the present epoch. */
  validateEntry: slow('validateEntry', 1),
  /** (va low, va high): cbo.zero where the fast way does not apply. */
  zeroBlock: slow('zeroBlock', 2),
} as const;

export interface FrameAddresses {
  /** Byte offset of the hart's block. */
  readonly hart: number;
  readonly mailbox: number;
  readonly cross: number;
  readonly ram: number;
  /** Derived regions that the compiler tier uses. */
  readonly heat: number;
  readonly entries: number;
  readonly jumpCache: number;
}

export const ZERO = i32.const(0);

/** Where results go: how `rd` and `frd` are written. */
export interface RegisterFile {
  assign(name: string, value: Expr): readonly Stmt[];
}

/** The tier's side of an access. */
export interface AccessFrame {
  readonly address: FrameAddresses;
  /** Address of the data TLB context in force. */
  readonly dataContext: Local<'i32'>;
  readonly target: Local<'i64'>;
  readonly virtual: Local<'i64'>;
  readonly entry: Local<'i32'>;
  readonly host: Local<'i32'>;
  readonly value: Local<'i64'>;
  /**
   * Address of the TLB entry that an access before used, which is looked at first; null where none
   * is kept.
   */
  readonly memo: Local<'i32'> | null;
  /** How the tier carries out what the TLB does not answer; null if it leaves that to another. */
  readonly slow: SlowFrame | null;
  /** Leaves the instruction before it has changed anything; only where `slow` is null. */
  leaveUndone(): readonly Stmt[];
  /** Host address of a field of the mailbox. */
  mailbox(field: keyof typeof MAILBOX): number;
}

/** The tier's side of a slow operation. */
export interface SlowFrame {
  readonly status: Local<'i32'>;
  /** Makes pc and the budget visible to the hart; before every slow operation. */
  synchronise(): readonly Stmt[];
  /** Leaves the instruction, which took a trap. */
  onTrap(): readonly Stmt[];
  /** Leaves generated code behind the instruction, which is done. */
  onLeave(): readonly Stmt[];
  /** status = target(args) */
  slowCall(target: FunctionSignature, args: readonly Expr[]): Stmt;
}
