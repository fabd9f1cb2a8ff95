/**
 * What the instruction table's names mean in a template for compiled regions: a guest register is a
 * local, pc and the immediate are constants, and which ones is left open.
 */

import { present } from '../base/assert.js';
import {
  br,
  call,
  drop,
  hole,
  local,
  set,
  unlikely,
  type Binding,
  type Expr,
  type FunctionSignature,
  type Local,
  type Stmt,
} from '../wasm/ir.js';
import { f64, i32, i64 } from '../wasm/ops.js';
import { MAILBOX } from '../riscv/derived.js';
import { hartOffset } from '../riscv/hart-state.js';
import type { Decoded } from '../riscv/decode.js';
import { ZERO, type AccessFrame, type FrameAddresses } from '../riscv/semantics/access-frame.js';
import { atomicEffect } from '../riscv/semantics/atomic-effects.js';
import { loadEffect, storeEffect, zeroBlockEffect } from '../riscv/semantics/memory-effects.js';
import { EXIT, LOCALS } from './region-locals.js';

/** What a region returns. */
export const REGION_RELOAD = 0;
/** The hart must look at interrupts, context or devices. */
export const REGION_RECHECK = 1;
/** The instruction at pc is one for the interpreter. */
export const REGION_BYPASS = 2;

/** Numbers of the holes: what differs between uses of one template. */
export const HOLE = {
  /** Indices of locals. */
  rs1: 0,
  rs2: 1,
  rs3: 2,
  rd: 3,
  /** i64 */
  imm: 4,
  pc: 5,
  next: 6,
  /** Steps before the instruction that the budget was not lowered by, and with it; i32. */
  owed: 7,
  owedAfter: 8,
} as const;

type Source = 'rs1' | 'rs2' | 'rs3';

/** Stand for the registers of an instruction, which is of one file or the other. */
const X = { rs1: local('i64'), rs2: local('i64'), rd: local('i64') } as const;
const F = { rs1: local('f64'), rs2: local('f64'), rs3: local('f64'), rd: local('f64') } as const;

/** The holes that are locals. */
export const REGISTER_HOLES: ReadonlyMap<Local, number> = new Map<Local, number>([
  [X.rs1, HOLE.rs1],
  [X.rs2, HOLE.rs2],
  [X.rd, HOLE.rd],
  [F.rs1, HOLE.rs1],
  [F.rs2, HOLE.rs2],
  [F.rs3, HOLE.rs3],
  [F.rd, HOLE.rd],
]);

/** What a block's code so far has looked at; `usable` says all that `readable` does. */
export type FloatCheck = 'nothing' | 'readable' | 'usable';

/** The frame of one instruction, whose operands are known only as far as a template is for. */
export class RegionFrame implements AccessFrame {
  readonly address: FrameAddresses;
  readonly decoded: Decoded;
  readonly dataContext = LOCALS.dataContext;
  readonly target = LOCALS.target;
  readonly virtual = LOCALS.virtual;
  readonly entry = LOCALS.entry;
  readonly host = LOCALS.host;
  readonly value = LOCALS.value;
  readonly status = LOCALS.status;
  /** What was looked at before the instruction, and then what was with it. */
  floatCheck: FloatCheck;
  private readonly counting: boolean;

  constructor(
    decoded: Decoded,
    context: {
      readonly address: FrameAddresses;
      /** False where the budget is left out of the code. */
      readonly counting: boolean;
      readonly floatCheck: FloatCheck;
    },
  ) {
    this.decoded = decoded;
    this.address = context.address;
    this.counting = context.counting;
    this.floatCheck = context.floatCheck;
  }

  synchronise(): readonly Stmt[] {
    const { budget } = LOCALS;
    const left = this.counting ? i32.sub(budget, hole('i32', HOLE.owed)) : budget;
    return [this.storePc(HOLE.pc), i32.store(ZERO, left, this.mailbox('budgetLeft'))];
  }

  /** The trap is the step. If it is none, the instruction was not begun, and the hart looks. */
  onTrap(): readonly Stmt[] {
    const restart = i32.load(ZERO, this.mailbox('restart'));
    return [
      ...this.settle(i32.sub(hole('i32', HOLE.owedAfter), restart)),
      set(LOCALS.result, restart),
      br(EXIT),
    ];
  }

  onLeave(): readonly Stmt[] {
    return [
      ...this.settle(hole('i32', HOLE.owedAfter)),
      this.storePc(HOLE.next),
      set(LOCALS.result, i32.const(REGION_RECHECK)),
      br(EXIT),
    ];
  }

  /** Leaves before the instruction, for the interpreter to execute it. */
  private bypass(): readonly Stmt[] {
    return [
      ...this.settle(hole('i32', HOLE.owed)),
      this.storePc(HOLE.pc),
      set(LOCALS.result, i32.const(REGION_BYPASS)),
      br(EXIT),
    ];
  }

  slowCall(target: FunctionSignature, args: readonly Expr[]): Stmt {
    return set(this.status, call('i32', target, args));
  }

  mailbox(field: keyof typeof MAILBOX): number {
    return this.address.mailbox + MAILBOX[field];
  }

  private storePc(place: number): Stmt {
    return i64.store(ZERO, hole('i64', place), this.address.hart + hartOffset('pc'));
  }

  /** Lowers the budget by steps that were done. */
  private settle(steps: Expr<'i32'>): readonly Stmt[] {
    return this.counting ? [set(LOCALS.budget, i32.sub(LOCALS.budget, steps))] : [];
  }

  /** x0 reads as zero. */
  read(source: 'rs1' | 'rs2'): Expr<'i64'> {
    return this.decoded[source] === 0 ? i64.const(0n) : X[source];
  }

  /** The bits of an f register as a double, whatever they stand for. */
  readFloat(source: Source): Local<'f64'> {
    return F[source];
  }

  /** A write to x0 only evaluates the value. */
  write(value: Expr<'i64'>): Stmt {
    return this.decoded.rd === 0 ? drop(value) : set(X.rd, value);
  }

  writeFloat(value: Expr<'f64'>): Stmt {
    return set(F.rd, value);
  }

  /** Leaves before the first instruction of a block that needs the FPU if it can't be used so. */
  requireFloat(need: 'readable' | 'usable'): readonly Stmt[] {
    if (this.floatCheck === 'usable' || this.floatCheck === need) return [];
    this.floatCheck = need;
    const holds = need === 'usable' ? LOCALS.floatUsable : LOCALS.floatReadable;
    return [unlikely(i32.eqz(holds), this.bypass())];
  }
}

/** The names of the instruction table for the instruction of a frame. */
export class RegionBinding implements Binding {
  private readonly frame: RegionFrame;

  constructor(frame: RegionFrame) {
    this.frame = frame;
  }

  operand(name: string): Expr {
    const { frame } = this;
    const { imm, rm } = frame.decoded;
    switch (name) {
      case 'rs1':
      case 'rs2':
        return frame.read(name);
      case 'frs1':
        return i64.reinterpretF64(frame.readFloat('rs1'));
      case 'frs2':
        return i64.reinterpretF64(frame.readFloat('rs2'));
      case 'frs3':
        return i64.reinterpretF64(frame.readFloat('rs3'));
      case 'imm':
        return imm === 0 ? i64.const(0n) : hole('i64', HOLE.imm);
      case 'pc':
        return hole('i64', HOLE.pc);
      case 'next':
        return hole('i64', HOLE.next);
      case 'mem':
        return frame.value;
      case 'rm':
        return rm === 7 ? LOCALS.rounding : i32.const(rm);
      default:
        throw new Error(`region: unknown operand ${name}`);
    }
  }

  assign(name: string, value: Expr): readonly Stmt[] {
    const bits = value as Expr<'i64'>;
    const { frame } = this;
    return [name === 'frd' ? frame.writeFloat(f64.reinterpretI64(bits)) : frame.write(bits)];
  }

  effect(name: string, args: readonly Expr[]): readonly Stmt[] {
    const { frame } = this;
    const dot = name.indexOf('.');
    const kind = dot < 0 ? name : name.slice(0, dot);
    const detail = dot < 0 ? '' : name.slice(dot + 1);
    const [first, second] = args as readonly Expr<'i64'>[];
    switch (kind) {
      case 'load':
        return loadEffect(frame, this, { kind: detail, address: present(first, name) });
      case 'store':
        return storeEffect(frame, {
          bytes: Number(detail),
          address: present(first, name),
          value: present(second, name),
        });
      case 'amo':
        return atomicEffect(frame, this, {
          operation: 'amo',
          bytes: Number(detail),
          address: present(first, name),
          value: present(second, name),
        });
      case 'jump':
        return [set(frame.target, present(first, name))];
      case 'jump-relative':
      case 'branch':
        // The region's structure carries control flow.
        return [];
      case 'fpu-read':
        return frame.requireFloat('readable');
      case 'fpu-write':
        return frame.requireFloat('usable');
      case 'round':
        // The mode is in a local, and a mode that is none makes the FPU unusable.
        return [];
      case 'system':
        return this.reserved(detail);
      default:
        throw new Error(`region: unknown effect ${name}`);
    }
  }

  /** LR, SC and cbo.zero; other system instructions end a region before it reaches them. */
  private reserved(detail: string): readonly Stmt[] {
    const { frame } = this;
    if (detail === 'cbo-zero') return zeroBlockEffect(frame, frame.read('rs1'));
    const operation = detail.startsWith('lr') ? 'lr' : 'sc';
    return atomicEffect(frame, this, {
      operation,
      bytes: Number(detail.slice(3)),
      address: frame.read('rs1'),
      value: frame.read('rs2'),
    });
  }
}
