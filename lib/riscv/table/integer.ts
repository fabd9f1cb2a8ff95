/**
 * RV64I and M (unprivileged specification, chapters 2, 4 and 12), Zifencei, Zicboz.
 */

import { call, choose, type Expr } from '../../wasm/ir.js';
import { i32, i64 } from '../../wasm/ops.js';
import {
  IMM,
  MULHU,
  NEXT,
  PC,
  RS1,
  RS2,
  branch,
  jump,
  jumpRelative,
  load,
  row,
  setRd,
  store,
  system,
  type Instruction,
} from './instruction.js';

type I64 = Expr<'i64'>;
const ADDRESS = i64.add(RS1, IMM);
const sext32 = (value: I64): I64 => i64.extend32S(value);
const low32 = (value: I64): I64 => i64.and(value, i64.const(0xffffffffn));
const PURE = { pure: true };

const opImm = (name: string, funct3: number, value: I64): Instruction =>
  row('I', 'I', [name, 0x13 | (funct3 << 12), 0x707f], [setRd(value)], PURE);
const op = (name: string, [funct7, funct3]: readonly [number, number], value: I64): Instruction =>
  row('I', 'R', [name, 0x33 | (funct3 << 12) | (funct7 << 25), 0xfe00707f], [setRd(value)], PURE);
const op32 = (name: string, [funct7, funct3]: readonly [number, number], value: I64): Instruction =>
  row('I', 'R', [name, 0x3b | (funct3 << 12) | (funct7 << 25), 0xfe00707f], [setRd(value)], PURE);
const flag = (condition: Expr<'i32'>): I64 => i64.extendI32U(condition);

/** 32-bit shifts take five bits of the amount, which wasm's i32 shifts do by themselves. */
const shift32 = (shift: typeof i32.shl, amount: I64): I64 =>
  i64.extendI32S(shift(i32.wrap(RS1), i32.wrap(amount)));

const SHIFT6_MASK = 0xfc00707f;
const SHIFT5_MASK = 0xfe00707f;

const COMPUTE: readonly Instruction[] = [
  row('I', 'U', ['lui', 0x37, 0x7f], [setRd(IMM)], PURE),
  row('I', 'U', ['auipc', 0x17, 0x7f], [setRd(i64.add(PC, IMM))], PURE),
  opImm('addi', 0, i64.add(RS1, IMM)),
  opImm('slti', 2, flag(i64.ltS(RS1, IMM))),
  opImm('sltiu', 3, flag(i64.ltU(RS1, IMM))),
  opImm('xori', 4, i64.xor(RS1, IMM)),
  opImm('ori', 6, i64.or(RS1, IMM)),
  opImm('andi', 7, i64.and(RS1, IMM)),
  row('I', 'shift6', ['slli', 0x1013, SHIFT6_MASK], [setRd(i64.shl(RS1, IMM))], PURE),
  row('I', 'shift6', ['srli', 0x5013, SHIFT6_MASK], [setRd(i64.shrU(RS1, IMM))], PURE),
  row('I', 'shift6', ['srai', 0x40005013, SHIFT6_MASK], [setRd(i64.shrS(RS1, IMM))], PURE),
  row('I', 'I', ['addiw', 0x1b, 0x707f], [setRd(sext32(i64.add(RS1, IMM)))], PURE),
  row('I', 'shift5', ['slliw', 0x101b, SHIFT5_MASK], [setRd(shift32(i32.shl, IMM))], PURE),
  row('I', 'shift5', ['srliw', 0x501b, SHIFT5_MASK], [setRd(shift32(i32.shrU, IMM))], PURE),
  row('I', 'shift5', ['sraiw', 0x4000501b, SHIFT5_MASK], [setRd(shift32(i32.shrS, IMM))], PURE),
  op('add', [0x00, 0], i64.add(RS1, RS2)),
  op('sub', [0x20, 0], i64.sub(RS1, RS2)),
  op('sll', [0x00, 1], i64.shl(RS1, RS2)),
  op('slt', [0x00, 2], flag(i64.ltS(RS1, RS2))),
  op('sltu', [0x00, 3], flag(i64.ltU(RS1, RS2))),
  op('xor', [0x00, 4], i64.xor(RS1, RS2)),
  op('srl', [0x00, 5], i64.shrU(RS1, RS2)),
  op('sra', [0x20, 5], i64.shrS(RS1, RS2)),
  op('or', [0x00, 6], i64.or(RS1, RS2)),
  op('and', [0x00, 7], i64.and(RS1, RS2)),
  op32('addw', [0x00, 0], sext32(i64.add(RS1, RS2))),
  op32('subw', [0x20, 0], sext32(i64.sub(RS1, RS2))),
  op32('sllw', [0x00, 1], shift32(i32.shl, RS2)),
  op32('srlw', [0x00, 5], shift32(i32.shrU, RS2)),
  op32('sraw', [0x20, 5], shift32(i32.shrS, RS2)),
];

const control = (name: string, funct3: number, condition: Expr<'i32'>): Instruction =>
  row('I', 'B', [name, 0x63 | (funct3 << 12), 0x707f], [branch(condition)]);

const CONTROL: readonly Instruction[] = [
  row('I', 'J', ['jal', 0x6f, 0x7f], [setRd(NEXT), jumpRelative()]),
  row(
    'I',
    'I',
    ['jalr', 0x67, 0x707f],
    // The target is computed before rd is written, since rd may be rs1.
    [jump(i64.and(ADDRESS, i64.const(-2n))), setRd(NEXT)],
  ),
  control('beq', 0, i64.eq(RS1, RS2)),
  control('bne', 1, i64.ne(RS1, RS2)),
  control('blt', 4, i64.ltS(RS1, RS2)),
  control('bge', 5, i64.geS(RS1, RS2)),
  control('bltu', 6, i64.ltU(RS1, RS2)),
  control('bgeu', 7, i64.geU(RS1, RS2)),
];

const memoryLoad = (
  name: string,
  funct3: number,
  kind: 'i8' | 'u8' | 'i16' | 'u16' | 'i32' | 'u32' | 'i64',
): Instruction => row('I', 'I', [name, 0x03 | (funct3 << 12), 0x707f], [load(kind, ADDRESS)]);
const memoryStore = (name: string, funct3: number, bytes: 1 | 2 | 4 | 8): Instruction =>
  row('I', 'S', [name, 0x23 | (funct3 << 12), 0x707f], [store(bytes, ADDRESS, RS2)]);

const MEMORY: readonly Instruction[] = [
  memoryLoad('lb', 0, 'i8'),
  memoryLoad('lh', 1, 'i16'),
  memoryLoad('lw', 2, 'i32'),
  memoryLoad('ld', 3, 'i64'),
  memoryLoad('lbu', 4, 'u8'),
  memoryLoad('lhu', 5, 'u16'),
  memoryLoad('lwu', 6, 'u32'),
  memoryStore('sb', 0, 1),
  memoryStore('sh', 1, 2),
  memoryStore('sw', 2, 4),
  memoryStore('sd', 3, 8),
  // Memory is sequentially consistent for one hart and by page ownership between harts.
  row('I', 'none', ['fence', 0x0f, 0x707f], []),
  // Fetch is coherent, so that fence.i has nothing to do (unprivileged specification, chapter 5).
  row('Zifencei', 'none', ['fence.i', 0x100f, 0x707f], []),
  row('Zicboz', 'none', ['cbo.zero', 0x0040200f, 0xfff07fff], [system('cbo-zero')], {
    files: { rs1: 'x' },
  }),
];

const mulhu = (a: I64, b: I64): I64 => call('i64', MULHU, [a, b]);
/** What a negative `a` adds to the unsigned high product: a < 0 ? b : 0. */
const correction = (a: I64, b: I64): I64 => i64.and(i64.shrS(a, i64.const(63)), b);
const MULH = i64.sub(i64.sub(mulhu(RS1, RS2), correction(RS1, RS2)), correction(RS2, RS1));
const MULHSU = i64.sub(mulhu(RS1, RS2), correction(RS1, RS2));
const MINUS_ONE = i64.const(-1n);

const divide = (a: I64, b: I64): I64 =>
  choose(
    i64.eqz(b),
    MINUS_ONE,
    choose(i64.eq(b, MINUS_ONE), i64.sub(i64.const(0n), a), i64.divS(a, b)),
  );
const remainder = (a: I64, b: I64): I64 =>
  choose(i64.eqz(b), a, choose(i64.eq(b, MINUS_ONE), i64.const(0n), i64.remS(a, b)));
const divideU = (a: I64, b: I64): I64 => choose(i64.eqz(b), MINUS_ONE, i64.divU(a, b));
const remainderU = (a: I64, b: I64): I64 => choose(i64.eqz(b), a, i64.remU(a, b));

const mul = (name: string, funct3: number, value: I64): Instruction =>
  row('M', 'R', [name, 0x02000033 | (funct3 << 12), 0xfe00707f], [setRd(value)], PURE);
const mul32 = (name: string, funct3: number, value: I64): Instruction =>
  row('M', 'R', [name, 0x0200003b | (funct3 << 12), 0xfe00707f], [setRd(value)], PURE);

const MULTIPLY: readonly Instruction[] = [
  mul('mul', 0, i64.mul(RS1, RS2)),
  mul('mulh', 1, MULH),
  mul('mulhsu', 2, MULHSU),
  mul('mulhu', 3, mulhu(RS1, RS2)),
  mul('div', 4, divide(RS1, RS2)),
  mul('divu', 5, divideU(RS1, RS2)),
  mul('rem', 6, remainder(RS1, RS2)),
  mul('remu', 7, remainderU(RS1, RS2)),
  mul32('mulw', 0, sext32(i64.mul(RS1, RS2))),
  mul32('divw', 4, sext32(divide(sext32(RS1), sext32(RS2)))),
  mul32('divuw', 5, sext32(divideU(low32(RS1), low32(RS2)))),
  mul32('remw', 6, sext32(remainder(sext32(RS1), sext32(RS2)))),
  mul32('remuw', 7, sext32(remainderU(low32(RS1), low32(RS2)))),
];

export const INTEGER: readonly Instruction[] = [...COMPUTE, ...CONTROL, ...MEMORY, ...MULTIPLY];
