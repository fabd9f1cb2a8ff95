/**
 * What the instruction table's names mean in a template for compiled regions: a guest register is a
 * local, pc and the immediate are constants, and which ones is left open.
 */

import { present } from '../base/assert.js';
import {
  br,
  drop,
  hole,
  local,
  set,
  unlikely,
  type Binding,
  type Expr,
  type Local,
  type Stmt,
} from '../wasm/ir.js';
import { f64, i32, i64 } from '../wasm/ops.js';
import { MAILBOX } from '../riscv/derived.js';
import type { Decoded } from '../riscv/decode.js';
import type { AccessFrame, FrameAddresses } from '../riscv/semantics/access-frame.js';
import { atomicEffect } from '../riscv/semantics/atomic-effects.js';
import { loadEffect, storeEffect, zeroBlockEffect } from '../riscv/semantics/memory-effects.js';
import { EXIT, LOCALS } from './region-locals.js';

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
  /** Steps before the instruction that the budget was not lowered by; i32. */
  owed: 7,
  /** Result of the region if it leaves the instruction to the interpreter; i32. */
  undone: 8,
  /** Index of the local of a page memo. */
  memo: 9,
} as const;

type Source = 'rs1' | 'rs2' | 'rs3';

/** Stand for the registers of an instruction, which is of one file or the other. */
const X = { rs1: local('i64'), rs2: local('i64'), rd: local('i64') } as const;
const F = { rs1: local('f64'), rs2: local('f64'), rs3: local('f64'), rd: local('f64') } as const;

const MEMO = local('i32');

/** The holes that are locals. */
export const REGISTER_HOLES: ReadonlyMap<Local, number> = new Map<Local, number>([
  [X.rs1, HOLE.rs1],
  [X.rs2, HOLE.rs2],
  [X.rd, HOLE.rd],
  [F.rs1, HOLE.rs1],
  [F.rs2, HOLE.rs2],
  [F.rs3, HOLE.rs3],
  [F.rd, HOLE.rd],
  [MEMO, HOLE.memo],
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
  /** What the TLB does not answer is for the interpreter; see docs/decisions/0020. */
  readonly slow = null;
  readonly memo: Local<'i32'> | null;
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
      /** Whether the page of a load or store is remembered. */
      readonly remembers: boolean;
    },
  ) {
    this.decoded = decoded;
    this.address = context.address;
    this.counting = context.counting;
    this.floatCheck = context.floatCheck;
    this.memo = context.remembers ? MEMO : null;
  }

  leaveUndone(): readonly Stmt[] {
    const { budget, target, result } = LOCALS;
    return [
      ...(this.counting ? [set(budget, i32.sub(budget, hole('i32', HOLE.owed)))] : []),
      set(target, hole('i64', HOLE.pc)),
      set(result, hole('i32', HOLE.undone)),
      br(EXIT),
    ];
  }

  mailbox(field: keyof typeof MAILBOX): number {
    return this.address.mailbox + MAILBOX[field];
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
    return [unlikely(i32.eqz(holds), this.leaveUndone())];
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
