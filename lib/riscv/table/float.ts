/**
 * The F and D extensions (unprivileged specification, chapters 20 and 21).
 *
 * Arithmetic is a call to the exact IEEE library of `lib/riscv/float`, named by operation and
 * width; this table only says which instruction is which call. FPU registers are raw 64-bit
 * patterns; single precision values in them are NaN-boxed, which the library checks.
 */

import { call, type Expr, type ValueType } from '../../wasm/ir.js';
import { i32, i64 } from '../../wasm/ops.js';
import {
  FRS1,
  FRS2,
  FRS3,
  IMM,
  RM,
  RS1,
  load,
  resolveRounding,
  row,
  setFrd,
  setRd,
  store,
  useFpu,
  type Instruction,
  type OperandFiles,
} from './instruction.js';

type I64 = Expr<'i64'>;
type Width = 'f32' | 'f64';

const FFF: OperandFiles = { rd: 'f', rs1: 'f', rs2: 'f' };
const FF: OperandFiles = { rd: 'f', rs1: 'f', rs2: '-' };
const XFF: OperandFiles = { rd: 'x', rs1: 'f', rs2: 'f' };
const XF: OperandFiles = { rd: 'x', rs1: 'f', rs2: '-' };
const FX: OperandFiles = { rd: 'f', rs1: 'x', rs2: '-' };

/** A call of the float library; the argument types give the signature. */
function library(name: string, args: readonly Expr[]): I64 {
  const params: readonly ValueType[] = args.map((arg) => arg.type);
  return call('i64', { name, params, result: 'i64' }, args);
}

const extensionOf = (width: Width): 'F' | 'D' => (width === 'f32' ? 'F' : 'D');
const fmtOf = (width: Width): number => (width === 'f32' ? 0 : 1);
const suffixOf = (width: Width): string => (width === 'f32' ? 's' : 'd');

interface OpFp {
  readonly width: Width;
  readonly funct5: number;
  /** Value of the rm field where it is part of the encoding; undefined where it rounds. */
  readonly funct3?: number;
  /** Value of the rs2 field where it is part of the encoding. */
  readonly rs2?: number;
  readonly files: OperandFiles;
}

/** One OP-FP row: `frd` results mark the FPU state dirty, and so do flags. */
function opFp(name: string, code: OpFp, value: I64): Instruction {
  const rounds = code.funct3 === undefined;
  const match =
    0x53 |
    (code.funct5 << 27) |
    (fmtOf(code.width) << 25) |
    ((code.rs2 ?? 0) << 20) |
    ((code.funct3 ?? 0) << 12);
  const mask = 0xfe00007f | (rounds ? 0 : 0x7000) | (code.rs2 === undefined ? 0 : 0x1f00000);
  const write = code.files.rd === 'f' ? setFrd(value) : setRd(value);
  const prologue = rounds ? [useFpu(true), resolveRounding()] : [useFpu(true)];
  return row(extensionOf(code.width), 'R', [name, match, mask], [...prologue, write], {
    files: code.files,
    rounds,
  });
}

function arithmetic(width: Width): readonly Instruction[] {
  const s = suffixOf(width);
  const two = (name: string): I64 => library(`${width}_${name}`, [FRS1, FRS2, RM]);
  const plain = (name: string): I64 => library(`${width}_${name}`, [FRS1, FRS2]);
  const f = (funct5: number, files: OperandFiles, funct3?: number): OpFp =>
    funct3 === undefined ? { width, funct5, files } : { width, funct5, files, funct3 };
  return [
    opFp(`fadd.${s}`, f(0x00, FFF), two('add')),
    opFp(`fsub.${s}`, f(0x01, FFF), two('sub')),
    opFp(`fmul.${s}`, f(0x02, FFF), two('mul')),
    opFp(`fdiv.${s}`, f(0x03, FFF), two('div')),
    opFp(`fsqrt.${s}`, { ...f(0x0b, FF), rs2: 0 }, library(`${width}_sqrt`, [FRS1, RM])),
    opFp(`fsgnj.${s}`, f(0x04, FFF, 0), plain('sgnj')),
    opFp(`fsgnjn.${s}`, f(0x04, FFF, 1), plain('sgnjn')),
    opFp(`fsgnjx.${s}`, f(0x04, FFF, 2), plain('sgnjx')),
    opFp(`fmin.${s}`, f(0x05, FFF, 0), plain('min')),
    opFp(`fmax.${s}`, f(0x05, FFF, 1), plain('max')),
    opFp(`fle.${s}`, f(0x14, XFF, 0), plain('le')),
    opFp(`flt.${s}`, f(0x14, XFF, 1), plain('lt')),
    opFp(`feq.${s}`, f(0x14, XFF, 2), plain('eq')),
    opFp(`fclass.${s}`, { ...f(0x1c, XF, 1), rs2: 0 }, library(`${width}_class`, [FRS1])),
  ];
}

/** fcvt between integers and `width`; the rs2 field names the integer type. */
function conversions(width: Width): readonly Instruction[] {
  const s = suffixOf(width);
  return (['w', 'wu', 'l', 'lu'] as const).flatMap((letters, rs2) => {
    const type = ['i32', 'u32', 'i64', 'u64'][rs2] ?? '';
    const to = library(`${width}_to_${type}`, [FRS1, RM]);
    const from = library(`${type}_to_${width}`, [RS1, RM]);
    return [
      opFp(`fcvt.${letters}.${s}`, { width, funct5: 0x18, rs2, files: XF }, to),
      opFp(`fcvt.${s}.${letters}`, { width, funct5: 0x1a, rs2, files: FX }, from),
    ];
  });
}

function fused(width: Width): readonly Instruction[] {
  const s = suffixOf(width);
  const rowOf = (name: string, opcode: number, [product, addend]: readonly [number, number]) =>
    row(
      extensionOf(width),
      'R4',
      [`${name}.${s}`, opcode | (fmtOf(width) << 25), 0x0600007f],
      [
        useFpu(true),
        resolveRounding(),
        setFrd(
          library(`${width}_fma`, [FRS1, FRS2, FRS3, i32.const(product), i32.const(addend), RM]),
        ),
      ],
      { rounds: true },
    );
  return [
    rowOf('fmadd', 0x43, [0, 0]),
    rowOf('fmsub', 0x47, [0, 1]),
    rowOf('fnmsub', 0x4b, [1, 0]),
    rowOf('fnmadd', 0x4f, [1, 1]),
  ];
}

const ADDRESS = i64.add(RS1, IMM);

/** Moves, loads and stores: bits go through unchanged. */
const MOVES: readonly Instruction[] = [
  row('F', 'I', ['flw', 0x2007, 0x707f], [useFpu(true), load('f32', ADDRESS)], {
    files: { rd: 'f' },
  }),
  row('D', 'I', ['fld', 0x3007, 0x707f], [useFpu(true), load('f64', ADDRESS)], {
    files: { rd: 'f' },
  }),
  row('F', 'S', ['fsw', 0x2027, 0x707f], [useFpu(false), store(4, ADDRESS, FRS2)], {
    files: { rs2: 'f' },
  }),
  row('D', 'S', ['fsd', 0x3027, 0x707f], [useFpu(false), store(8, ADDRESS, FRS2)], {
    files: { rs2: 'f' },
  }),
  row('F', 'R', ['fmv.x.w', 0xe0000053, 0xfff0707f], [useFpu(false), setRd(i64.extend32S(FRS1))], {
    files: XF,
  }),
  row('D', 'R', ['fmv.x.d', 0xe2000053, 0xfff0707f], [useFpu(false), setRd(FRS1)], { files: XF }),
  row(
    'F',
    'R',
    ['fmv.w.x', 0xf0000053, 0xfff0707f],
    [useFpu(true), setFrd(i64.or(RS1, i64.const(0xffffffff00000000n)))],
    { files: FX },
  ),
  row('D', 'R', ['fmv.d.x', 0xf2000053, 0xfff0707f], [useFpu(true), setFrd(RS1)], { files: FX }),
  {
    ...opFp(
      'fcvt.s.d',
      { width: 'f32', funct5: 0x08, rs2: 1, files: FF },
      library('f64_to_f32', [FRS1, RM]),
    ),
    extension: 'D',
  },
  opFp(
    'fcvt.d.s',
    { width: 'f64', funct5: 0x08, rs2: 0, files: FF },
    library('f32_to_f64', [FRS1]),
  ),
];

export const FLOAT: readonly Instruction[] = [
  ...(['f32', 'f64'] as const).flatMap((width) => [
    ...arithmetic(width),
    ...conversions(width),
    ...fused(width),
  ]),
  ...MOVES,
];
