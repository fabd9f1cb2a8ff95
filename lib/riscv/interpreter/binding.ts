/**
 * What the names of the instruction table mean in the interpreter: registers are words of memory,
 * found by the indices in the decoded slot.
 */

import { unreachable } from '../../base/assert.js';

import {
  bound,
  br,
  brIf,
  call,
  set,
  unlikely,
  when,
  type Binding,
  type Expr,
  type Stmt,
} from '../../wasm/ir.js';
import { i32, i64 } from '../../wasm/ops.js';
import { F_OFFSET, X_OFFSET, hartOffset } from '../hart-state.js';
import { flowOf, type Instruction } from '../table/index.js';
import { atomicEffect } from '../semantics/atomic-effects.js';
import {
  IMPORTS,
  STATUS_LEAVE,
  STATUS_REDIRECTED,
  STATUS_TRAP,
  ZERO,
} from '../semantics/access-frame.js';
import { countHeat } from './compiled-entry.js';
import type { Frame, InstructionBytes } from './frame.js';
import { loadEffect, storeEffect, zeroBlockEffect } from '../semantics/memory-effects.js';

/** FS field of mstatus: 0 if the FPU is off, 3 (all bits) if its state is dirty. */
const FS_MASK = 0x6000;

class InterpreterBinding implements Binding {
  private readonly frame: Frame;
  private readonly instruction: Instruction;
  private readonly bytes: InstructionBytes;

  /** `bytes` is how long the instruction is, if that is known. */
  constructor(frame: Frame, instruction: Instruction, bytes: InstructionBytes) {
    this.frame = frame;
    this.instruction = instruction;
    this.bytes = bytes;
  }

  operand(name: string): Expr {
    const { frame, instruction } = this;
    const immediate = i32.load(frame.slot, 4);
    switch (name) {
      case 'rs1':
        return this.register('x', 'rs1');
      case 'rs2':
        return this.register('x', 'rs2');
      case 'frs1':
        return this.register('f', 'rs1');
      case 'frs2':
        return this.register('f', 'rs2');
      case 'frs3':
        return i64.load(i32.and(immediate, i32.const(0xf8)), frame.address.hart + F_OFFSET);
      case 'imm':
        return i64.extendI32S(immediate);
      case 'pc':
        return frame.pc;
      case 'next':
        return frame.nextPc(this.bytes);
      case 'mem':
        return frame.value;
      case 'rm':
        return frame.rounding;
      default:
        throw new Error(`interpreter: ${instruction.name} uses unknown operand ${name}`);
    }
  }

  assign(name: string, value: Expr): readonly Stmt[] {
    const { frame } = this;
    const typed = value as Expr<'i64'>;
    const index = i32.and(i32.shrU(frame.low, i32.const(8)), i32.const(0xf8));
    if (name === 'frd') return [i64.store(index, typed, frame.address.hart + F_OFFSET)];
    const write = i64.store(index, typed, frame.address.hart + X_OFFSET);
    // Pure rows with rd = x0 are decoded as nop; the others restore x0 behind the write.
    if (this.instruction.pure) return [write];
    return [write, i64.store(ZERO, i64.const(0n), frame.address.hart + X_OFFSET)];
  }

  effect(name: string, args: readonly Expr[]): readonly Stmt[] {
    const { frame } = this;
    const [kind, detail = ''] = split(name);
    const [first, second] = args as readonly Expr<'i64'>[];
    switch (kind) {
      case 'load':
        return loadEffect(frame, this, { kind: detail, address: need(first) });
      case 'store':
        return storeEffect(frame, {
          bytes: Number(detail),
          address: need(first),
          value: need(second),
        });
      case 'amo':
        return atomicEffect(frame, this, {
          operation: 'amo',
          bytes: Number(detail),
          address: need(first),
          value: need(second),
        });
      case 'jump':
        return [set(frame.target, need(first))];
      case 'jump-relative':
        return [];
      case 'branch':
        return [when(args[0] as Expr<'i32'>, this.jumpRelative())];
      case 'fpu-read':
        return this.useFpu(false);
      case 'fpu-write':
        return this.useFpu(true);
      case 'round':
        return this.resolveRounding();
      case 'system':
        return this.system(detail);
      default:
        throw new Error(`interpreter: ${this.instruction.name} has unknown effect ${name}`);
    }
  }

  /** pc + imm: within the page by moving the slot pointer, else by the far way. */
  jumpRelative(): readonly Stmt[] {
    const { frame } = this;
    const immediate = i32.load(frame.slot, 4);
    const moved = i32.add(frame.slot, i32.shl(immediate, i32.const(2)));
    return [
      set(frame.entry, moved),
      when(
        i32.ltU(i32.sub(frame.entry, frame.slotBase), frame.span),
        [
          // Backward jumps are where loops close.
          when(i32.ltS(immediate, ZERO), [...countHeat(frame, frame.entry)]),
          set(frame.slot, frame.entry),
          frame.spendStep(),
          br(frame.next),
        ],
        [],
        'likely',
      ),
      set(frame.target, i64.add(frame.pc, i64.extendI32S(immediate))),
      br(frame.far),
    ];
  }

  /** Jump to `target`: within the page by the slot pointer, else the far way. */
  jumpToTarget(): readonly Stmt[] {
    const { frame } = this;
    const offset = i64.sub(frame.target, frame.pageBase);
    return [
      when(
        // The offset has 64 bits: it is not scaled, which would drop the upper two.
        i64.ltU(offset, i64.extendI32U(i32.shrU(frame.span, i32.const(2)))),
        [
          set(frame.slot, i32.add(frame.slotBase, i32.shl(i32.wrap(offset), i32.const(2)))),
          ...countHeat(frame, frame.slot),
          frame.spendStep(),
          br(frame.next),
        ],
        [],
        'likely',
      ),
      br(frame.far),
    ];
  }

  private register(file: 'x' | 'f', field: 'rs1' | 'rs2'): Expr<'i64'> {
    const index = i32.load8U(this.frame.slot, field === 'rs1' ? 2 : 3);
    return i64.load(index, this.frame.address.hart + (file === 'x' ? X_OFFSET : F_OFFSET));
  }

  private useFpu(writes: boolean): readonly Stmt[] {
    const { frame } = this;
    const status = i32.load(ZERO, frame.address.hart + hartOffset('mstatus'));
    const state = i32.and(status, i32.const(FS_MASK));
    // To read needs no more than that the FPU is on.
    const isSlow = writes ? i32.ne(state, i32.const(FS_MASK)) : i32.eqz(state);
    return [
      unlikely(isSlow, [
        ...frame.synchronise(),
        brIf(frame.trap, call('i32', IMPORTS.fpuAccess, [i32.const(writes ? 1 : 0)])),
      ]),
    ];
  }

  private resolveRounding(): readonly Stmt[] {
    const { frame } = this;
    const mode = i32.and(i32.shrU(frame.fcsr(), i32.const(5)), i32.const(7));
    return [
      set(frame.rounding, i32.and(i32.load(frame.slot, 4), i32.const(7))),
      when(i32.eq(frame.rounding, i32.const(7)), [
        set(frame.rounding, mode),
        unlikely(i32.gtU(frame.rounding, i32.const(4)), [
          ...frame.synchronise(),
          frame.slowCall(IMPORTS.illegal, [i32.const(0)]),
          br(frame.trap),
        ]),
      ]),
    ];
  }

  private system(name: string): readonly Stmt[] {
    const { frame } = this;
    const [operation, bytes] = split(name);
    if (operation === 'lr' || operation === 'sc') {
      return atomicEffect(frame, this, {
        operation,
        bytes: Number(bytes),
        address: this.register('x', 'rs1'),
        value: this.register('x', 'rs2'),
      });
    }
    if (name === 'cbo-zero') return zeroBlockEffect(frame, this.register('x', 'rs1'));
    return [
      ...frame.synchronise(),
      frame.saveFlags(),
      frame.slowCall(IMPORTS.system, [frame.low, i32.load(frame.slot, 4)]),
      frame.loadFlags(),
      // A write of mstatus may have chosen another context.
      set(frame.dataContext, i32.load(ZERO, frame.mailbox('dataContext'))),
      when(frame.status, this.afterSystem()),
    ];
  }

  private afterSystem(): readonly Stmt[] {
    const { frame } = this;
    return [
      brIf(frame.trap, i32.eq(frame.status, i32.const(STATUS_TRAP))),
      brIf(frame.leave, i32.eq(frame.status, i32.const(STATUS_LEAVE))),
      brIf(frame.leave, i32.eq(frame.status, i32.const(STATUS_REDIRECTED))),
    ];
  }
}

/** The case of a row of the table, with its way on; `bytes` is how long it is, if known. */
export function rowCase(frame: Frame, row: Instruction, bytes: InstructionBytes): readonly Stmt[] {
  const binding = new InterpreterBinding(frame, row, bytes);
  const body = bound(binding, row.semantics);
  switch (flowOf(row)) {
    case 'jump-relative':
      return [body, ...binding.jumpRelative()];
    case 'jump':
      return [body, ...binding.jumpToTarget()];
    case 'branch':
    case 'none':
      return [body, ...frame.advance(bytes)];
  }
}

function split(name: string): readonly [string, string?] {
  const dot = name.indexOf('.');
  return dot < 0 ? [name] : [name.slice(0, dot), name.slice(dot + 1)];
}

function need(value: Expr<'i64'> | undefined): Expr<'i64'> {
  return value ?? unreachable(value as never);
}
