/**
 * The locals and labels of one compiled region, and what the instruction table's names mean in it:
 * guest registers are locals, pc is a constant.
 */

import { present } from '../base/assert.js';
import {
  br,
  call,
  drop,
  global,
  label,
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
import { FLAGS_GLOBAL } from '../riscv/float/format.js';
import { F_OFFSET, X_OFFSET, hartOffset } from '../riscv/hart-state.js';
import { ZERO, type AccessFrame, type FrameAddresses } from '../riscv/semantics/access-frame.js';
import { atomicEffect } from '../riscv/semantics/atomic-effects.js';
import { loadEffect, storeEffect, zeroBlockEffect } from '../riscv/semantics/memory-effects.js';
import type { RegionInstruction } from './region.js';

/** What a region returns. */
export const REGION_RELOAD = 0;
/** The hart must look at interrupts, context or devices. */
export const REGION_RECHECK = 1;
/** The instruction at pc is one for the interpreter. */
export const REGION_BYPASS = 2;

/**
 * The top of the exponents that a result may have, its sign shifted out: 0x7e0 of 0x7ff in f64,
 * 0xfc of 0xff in f32. One number serves both; what lies above is left to the library.
 */
export const FLOAT_LIMIT = 0xfc00_0000_0000_0000n;
/** FS field of mstatus: 0 if the FPU is off, 3 (all bits) if its state is dirty. */
const FS_MASK = 0x6000;

/** An instruction, and the steps before it that the budget was not lowered by. */
export interface Place {
  readonly entry: RegionInstruction;
  readonly owed: number;
}

export class RegionFrame implements AccessFrame {
  readonly address: FrameAddresses;
  /** False where the budget is left out of the code. */
  readonly counting: boolean;
  readonly dataContext = local('i32');
  readonly target = local('i64');
  readonly virtual = local('i64');
  readonly entry = local('i32');
  readonly host = local('i32');
  readonly value = local('i64');
  readonly status = local('i32');
  /** frm, from the prologue on: no instruction of a region writes it. */
  readonly rounding = local('i32');
  /** The FPU is on: its registers can be read. What does not hold is the interpreter's case. */
  readonly floatReadable = local('i32');
  /** The FPU is on and dirty, and frm is a mode: everything can be done. */
  readonly floatUsable = local('i32');
  /** What the bits of a result stay below, its sign shifted out: FLOAT_LIMIT, or 0 for none. */
  readonly floatLimit = local('i64');
  readonly float = local('f64');
  readonly budget = local('i32');
  /** Number of the entry to go to; the function's parameter. */
  readonly selector = local('i32');
  /** Result of the function. */
  readonly result = local('i32');
  readonly exit = label();

  private readonly registers = new Map<number, Local<'i64'>>();
  private readonly floats = new Map<number, Local<'f64'>>();
  private readonly writtenRegisters = new Set<number>();
  private readonly writtenFloats = new Set<number>();
  private place: Place | null = null;
  private hasFloats = false;
  /** What the block's code so far has looked at; `floatUsable` says all that the other does. */
  private floatChecked: 'nothing' | 'readable' | 'usable' = 'nothing';

  constructor(address: FrameAddresses, counting = true) {
    this.address = address;
    this.counting = counting;
  }

  /** What follows is emitted for a block that control may enter only at its start. */
  beginBlock(): void {
    this.floatChecked = 'nothing';
  }

  /** What follows is emitted for the instruction at `place`. */
  moveTo(place: Place): void {
    this.place = place;
  }

  private here(): Place {
    return present(this.place, 'place in the region');
  }

  synchronise(): readonly Stmt[] {
    const { entry, owed } = this.here();
    const left = this.counting && owed > 0 ? i32.sub(this.budget, i32.const(owed)) : this.budget;
    return [this.storePc(entry.pc), i32.store(ZERO, left, this.mailbox('budgetLeft'))];
  }

  /** The trap is the step. If it is none, the instruction was not begun, and the hart looks. */
  onTrap(): readonly Stmt[] {
    const restart = i32.load(ZERO, this.mailbox('restart'));
    const steps = i32.sub(i32.const(this.here().owed + 1), restart);
    return [
      ...(this.counting ? [set(this.budget, i32.sub(this.budget, steps))] : []),
      set(this.result, restart),
      br(this.exit),
    ];
  }

  onLeave(): readonly Stmt[] {
    const { entry, owed } = this.here();
    return [
      ...this.settle(owed + 1),
      this.storePc(BigInt.asUintN(64, entry.pc + BigInt(entry.decoded.bytes))),
      set(this.result, i32.const(REGION_RECHECK)),
      br(this.exit),
    ];
  }

  /** Leaves before the instruction, for the interpreter to execute it. */
  bypass(): readonly Stmt[] {
    const { entry, owed } = this.here();
    return [
      ...this.settle(owed),
      this.storePc(entry.pc),
      set(this.result, i32.const(REGION_BYPASS)),
      br(this.exit),
    ];
  }

  slowCall(target: FunctionSignature, args: readonly Expr[]): Stmt {
    return set(this.status, call('i32', target, args));
  }

  mailbox(field: keyof typeof MAILBOX): number {
    return this.address.mailbox + MAILBOX[field];
  }

  storePc(pc: bigint): Stmt {
    return i64.store(ZERO, i64.const(pc), this.address.hart + hartOffset('pc'));
  }

  /** Lowers the budget by steps that were done. */
  settle(steps: number): readonly Stmt[] {
    if (!this.counting || steps === 0) return [];
    return [set(this.budget, i32.sub(this.budget, i32.const(steps)))];
  }

  /** x0 reads as zero. */
  read(file: 'x' | 'f', index: number): Expr<'i64'> {
    if (file === 'f') return i64.reinterpretF64(this.readFloat(index));
    return index === 0 ? i64.const(0n) : this.register(index);
  }

  /** The bits of an f register as a double, whatever they stand for. */
  readFloat(index: number): Local<'f64'> {
    const existing = this.floats.get(index);
    if (existing !== undefined) return existing;
    const created = local('f64');
    this.floats.set(index, created);
    return created;
  }

  writeFloat(index: number, value: Expr<'f64'>): Stmt {
    this.writtenFloats.add(index);
    return set(this.readFloat(index), value);
  }

  /** Makes the registers that an instruction reads known before code is built. */
  useOperands(entry: RegionInstruction): void {
    const { instruction, rs1, rs2, rs3 } = entry.decoded;
    const { files, format } = instruction;
    if (files.rs1 !== '-') this.read(files.rs1, rs1);
    if (files.rs2 !== '-') this.read(files.rs2, rs2);
    if (format === 'R4') this.read('f', rs3);
    const { extension } = instruction;
    if (extension === 'F' || extension === 'D') this.hasFloats = true;
  }

  /** A write to x0 only evaluates the value. */
  write(file: 'x' | 'f', index: number, value: Expr<'i64'>): Stmt {
    if (file === 'f') return this.writeFloat(index, f64.reinterpretI64(value));
    if (index === 0) return drop(value);
    this.writtenRegisters.add(index);
    return set(this.register(index), value);
  }

  private register(index: number): Local<'i64'> {
    const existing = this.registers.get(index);
    if (existing !== undefined) return existing;
    const created = local('i64');
    this.registers.set(index, created);
    return created;
  }

  /** True if the region's module has to import the flags. */
  get usesFlags(): boolean {
    return this.hasFloats;
  }

  /** Results may be taken in nearest even with NX set: bit 0, which the library may have set. */
  refreshFloat(): Stmt {
    const usual = i32.and(this.floatUsable, i32.eqz(this.rounding));
    const holds = i64.extendI32U(i32.and(usual, global('i32', FLAGS_GLOBAL)));
    return set(this.floatLimit, i64.mul(holds, i64.const(FLOAT_LIMIT)));
  }

  /** Leaves before the first instruction of a block that needs the FPU if it can't be used so. */
  requireFloat(need: 'readable' | 'usable'): readonly Stmt[] {
    if (this.floatChecked === 'usable' || this.floatChecked === need) return [];
    this.floatChecked = need;
    const holds = need === 'usable' ? this.floatUsable : this.floatReadable;
    return [unlikely(i32.eqz(holds), this.bypass())];
  }

  private prepareFloat(): readonly Stmt[] {
    if (!this.hasFloats) return [];
    const { hart } = this.address;
    const status = i32.load(ZERO, hart + hartOffset('mstatus'));
    const fcsr = i32.load(ZERO, hart + hartOffset('fcsr'));
    const dirty = i32.eq(this.floatReadable, i32.const(FS_MASK));
    return [
      set(this.floatReadable, i32.and(status, i32.const(FS_MASK))),
      set(this.rounding, i32.and(i32.shrU(fcsr, i32.const(5)), i32.const(7))),
      set(this.floatUsable, i32.and(dirty, i32.leU(this.rounding, i32.const(4)))),
      this.refreshFloat(),
    ];
  }

  /** Loads the locals from the hart; emitted when the body is known. */
  prologue(): readonly Stmt[] {
    return [
      set(this.budget, i32.load(ZERO, this.mailbox('budgetLeft'))),
      set(this.dataContext, i32.load(ZERO, this.mailbox('dataContext'))),
      ...this.prepareFloat(),
      ...this.all().map(({ variable, offset }) =>
        variable.type === 'f64'
          ? set(variable, f64.load(ZERO, offset))
          : set(variable, i64.load(ZERO, offset)),
      ),
    ];
  }

  /** Stores what was written, and the budget. */
  epilogue(): readonly Stmt[] {
    return [
      ...this.all().flatMap(({ variable, offset, written }) =>
        written ? [storeLocal(variable, offset)] : [],
      ),
      i32.store(ZERO, this.budget, this.mailbox('budgetLeft')),
    ];
  }

  private all() {
    const { hart } = this.address;
    const list = <T extends 'i64' | 'f64'>(
      variables: ReadonlyMap<number, Local<T>>,
      written: ReadonlySet<number>,
      base: number,
    ) =>
      [...variables].map(([index, variable]) => ({
        variable,
        offset: hart + base + index * 8,
        written: written.has(index),
      }));
    return [
      ...list(this.registers, this.writtenRegisters, X_OFFSET),
      ...list(this.floats, this.writtenFloats, F_OFFSET),
    ];
  }
}

function storeLocal(variable: Local<'i64' | 'f64'>, offset: number): Stmt {
  return variable.type === 'f64'
    ? f64.store(ZERO, variable as Local<'f64'>, offset)
    : i64.store(ZERO, variable as Local<'i64'>, offset);
}

/** The names of the instruction table for one instruction of a region. */
export class RegionBinding implements Binding {
  private readonly frame: RegionFrame;
  private readonly at: RegionInstruction;

  constructor(frame: RegionFrame, at: RegionInstruction) {
    this.frame = frame;
    this.at = at;
  }

  operand(name: string): Expr {
    const { frame } = this;
    const { decoded, pc } = this.at;
    switch (name) {
      case 'rs1':
        return frame.read('x', decoded.rs1);
      case 'rs2':
        return frame.read('x', decoded.rs2);
      case 'frs1':
        return frame.read('f', decoded.rs1);
      case 'frs2':
        return frame.read('f', decoded.rs2);
      case 'frs3':
        return frame.read('f', decoded.rs3);
      case 'imm':
        return i64.const(decoded.imm);
      case 'pc':
        return i64.const(pc);
      case 'next':
        return i64.const(pc + BigInt(decoded.bytes));
      case 'mem':
        return frame.value;
      case 'rm':
        return decoded.rm === 7 ? frame.rounding : i32.const(decoded.rm);
      default:
        throw new Error(`region: unknown operand ${name}`);
    }
  }

  assign(name: string, value: Expr): readonly Stmt[] {
    const file = name === 'frd' ? 'f' : 'x';
    return [this.frame.write(file, this.at.decoded.rd, value as Expr<'i64'>)];
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
    const { decoded } = this.at;
    if (detail === 'cbo-zero')
      return zeroBlockEffect(this.frame, this.frame.read('x', decoded.rs1));
    const operation = detail.startsWith('lr') ? 'lr' : 'sc';
    return atomicEffect(this.frame, this, {
      operation,
      bytes: Number(detail.slice(3)),
      address: this.frame.read('x', decoded.rs1),
      value: this.frame.read('x', decoded.rs2),
    });
  }
}
