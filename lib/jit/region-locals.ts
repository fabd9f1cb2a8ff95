/**
 * The local variables of compiled regions: some that each region has, always with the same index,
 * so that templates know them, and behind them the guest registers that it uses.
 */

import { assert } from '../base/assert.js';
import { global, label, local, set, type Expr, type Local, type Stmt } from '../wasm/ir.js';
import { f64, i32, i64 } from '../wasm/ops.js';
import { MAILBOX } from '../riscv/derived.js';
import { FLAGS_GLOBAL } from '../riscv/float/format.js';
import { F_OFFSET, X_OFFSET, hartOffset } from '../riscv/hart-state.js';
import { ZERO, type FrameAddresses } from '../riscv/semantics/access-frame.js';
import { NO_MEMOS, type PageMemos } from './page-memos.js';
import type { Region, RegionInstruction } from './region.js';

/**
 * The top of the exponents that a result may have, its sign shifted out: 0x7e0 of 0x7ff in f64,
 * 0xfc of 0xff in f32. One number serves both; what lies above is left to the library.
 */
export const FLOAT_LIMIT = 0xfc00_0000_0000_0000n;
/** FS field of mstatus: 0 if the FPU is off, 3 (all bits) if its state is dirty. */
const FS_MASK = 0x6000;

const BASE = {
  /** Number of the entry to go to; the function's parameter. */
  selector: local('i32'),
  /** Steps that are left, less those that the code is owed. */
  budget: local('i32'),
  dataContext: local('i32'),
  /** Where control goes on; pc, once the region is left. */
  target: local('i64'),
  virtual: local('i64'),
  entry: local('i32'),
  host: local('i32'),
  value: local('i64'),
  /** Result of the function. */
  result: local('i32'),
} as const;

/** Only in regions with instructions of F or D. */
const FLOAT = {
  /** frm, from the prologue on: no instruction of a region writes it. */
  rounding: local('i32'),
  /** The FPU is on: its registers can be read. What does not hold is the interpreter's case. */
  floatReadable: local('i32'),
  /** The FPU is on and dirty, and frm is a mode: everything can be done. */
  floatUsable: local('i32'),
  /** What the bits of a result stay below, its sign shifted out: FLOAT_LIMIT, or 0 for none. */
  floatLimit: local('i64'),
  float: local('f64'),
} as const;

export const LOCALS = { ...BASE, ...FLOAT } as const;
/** In the order of their indices, the parameter first. */
export const FIXED_LOCALS: readonly Local[] = Object.values(LOCALS);
/** Everything behind the registers' way back to memory. */
export const EXIT = label();

const REGISTERS = 32;

/** Results may be taken in nearest even with NX set: bit 0, which the library may have set. */
export function refreshFloat(): Stmt {
  const usual = i32.and(LOCALS.floatUsable, i32.eqz(LOCALS.rounding));
  const holds = i64.extendI32U(i32.and(usual, global('i32', FLAGS_GLOBAL)));
  return set(LOCALS.floatLimit, i64.mul(holds, i64.const(FLOAT_LIMIT)));
}

interface Register {
  readonly variable: Local<'i64'> | Local<'f64'>;
  /** Index of the local in the function. */
  readonly index: number;
  /** Byte offset in the hart's block. */
  readonly offset: number;
  isWritten: boolean;
}

export class RegionLocals {
  /** Whether an instruction of F or D is among the code. */
  readonly hasFloats: boolean;
  private readonly address: FrameAddresses;
  private readonly fixed: readonly Local[];
  /** x registers at 0 to 31, f registers at 32 to 63. */
  private readonly byNumber: (Register | undefined)[] = [];
  private readonly registers: Register[] = [];
  private readonly memos: PageMemos;
  private readonly memoLocals: Local<'i32'>[] = [];

  constructor(region: Region, address: FrameAddresses, memos = NO_MEMOS) {
    this.address = address;
    this.memos = memos;
    const code = [...region.blocks.values()].flatMap((block) => block.instructions);
    this.hasFloats = code.some(({ decoded }) => isFloat(decoded.instruction.extension));
    this.fixed = Object.values(this.hasFloats ? LOCALS : BASE);
    for (const entry of code) this.use(entry);
    for (let number = 0; number < memos.count; number++) {
      this.memoLocals.push(local('i32'));
    }
  }

  /** All but the parameter, in the order of their indices. */
  get declared(): readonly Local[] {
    return [
      ...this.fixed.slice(1),
      ...this.registers.map(({ variable }) => variable),
      ...this.memoLocals,
    ];
  }

  remembers(entry: RegionInstruction): boolean {
    return this.memos.numberOf(entry) !== undefined;
  }

  /** Index of the local of an access's memo; -1 if it has none. */
  memo(entry: RegionInstruction): number {
    const number = this.memos.numberOf(entry);
    return number === undefined ? -1 : this.fixed.length + this.registers.length + number;
  }

  /** Index of a register's local; -1 for none and for x0. */
  index(file: 'x' | 'f' | '-', number: number): number {
    if (file === '-' || (file === 'x' && number === 0)) return -1;
    return this.known(file, number).index;
  }

  /** An x register's value; x0 reads as zero. */
  read(number: number): Expr<'i64'> {
    if (number === 0) return i64.const(0n);
    return this.known('x', number).variable as Local<'i64'>;
  }

  private known(file: 'x' | 'f', number: number): Register {
    const register = this.byNumber[(file === 'f' ? REGISTERS : 0) + number];
    assert(register !== undefined, 'a register of the region');
    return register;
  }

  private use({ decoded }: RegionInstruction): void {
    const { instruction, rd, rs1, rs2, rs3 } = decoded;
    const { files, format } = instruction;
    if (files.rs1 !== '-') this.claim(files.rs1, rs1);
    if (files.rs2 !== '-') this.claim(files.rs2, rs2);
    if (format === 'R4') this.claim('f', rs3);
    if (files.rd !== '-') this.claim(files.rd, rd, true);
  }

  private claim(file: 'x' | 'f', number: number, isWritten = false): void {
    if (file === 'x' && number === 0) return;
    const at = (file === 'f' ? REGISTERS : 0) + number;
    let register = this.byNumber[at];
    if (register === undefined) {
      register = {
        variable: local(file === 'f' ? 'f64' : 'i64'),
        index: this.fixed.length + this.registers.length,
        offset: this.address.hart + (file === 'f' ? F_OFFSET : X_OFFSET) + number * 8,
        isWritten: false,
      };
      this.byNumber[at] = register;
      this.registers.push(register);
    }
    register.isWritten ||= isWritten;
  }

  /** Loads the locals from the hart. */
  prologue(): readonly Stmt[] {
    const { mailbox } = this.address;
    return [
      set(LOCALS.budget, i32.load(ZERO, mailbox + MAILBOX.budgetLeft)),
      set(LOCALS.dataContext, i32.load(ZERO, mailbox + MAILBOX.dataContext)),
      ...this.prepareFloat(),
      ...this.registers.map(({ variable, offset }) =>
        variable.type === 'f64'
          ? set(variable, f64.load(ZERO, offset))
          : set(variable, i64.load(ZERO, offset)),
      ),
      ...this.memoLocals.map((memo) => set(memo, LOCALS.dataContext)),
    ];
  }

  /** Stores what was written, pc and the budget. */
  epilogue(): readonly Stmt[] {
    return [
      ...this.registers.flatMap(({ variable, offset, isWritten }) =>
        isWritten ? [storeLocal(variable, offset)] : [],
      ),
      i64.store(ZERO, LOCALS.target, this.address.hart + hartOffset('pc')),
      i32.store(ZERO, LOCALS.budget, this.address.mailbox + MAILBOX.budgetLeft),
    ];
  }

  private prepareFloat(): readonly Stmt[] {
    if (!this.hasFloats) return [];
    const { hart } = this.address;
    const status = i32.load(ZERO, hart + hartOffset('mstatus'));
    const fcsr = i32.load(ZERO, hart + hartOffset('fcsr'));
    const dirty = i32.eq(LOCALS.floatReadable, i32.const(FS_MASK));
    return [
      set(LOCALS.floatReadable, i32.and(status, i32.const(FS_MASK))),
      set(LOCALS.rounding, i32.and(i32.shrU(fcsr, i32.const(5)), i32.const(7))),
      set(LOCALS.floatUsable, i32.and(dirty, i32.leU(LOCALS.rounding, i32.const(4)))),
      refreshFloat(),
    ];
  }
}

const isFloat = (extension: string): boolean => extension === 'F' || extension === 'D';

function storeLocal(variable: Local<'i64' | 'f64'>, offset: number): Stmt {
  return variable.type === 'f64'
    ? f64.store(ZERO, variable as Local<'f64'>, offset)
    : i64.store(ZERO, variable as Local<'i64'>, offset);
}
