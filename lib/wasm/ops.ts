/**
 * Constructors for the WebAssembly numeric and memory instructions, grouped by value type.
 *
 * The opcode numbers are those of the WebAssembly core specification 2.0, section 5.4. Every
 * constructor only builds an `ir.ts` node. Addresses are i32, offsets are byte counts.
 */

import type { Expr, Stmt, ValueType } from './ir.js';

type I32 = Expr<'i32'>;
type I64 = Expr<'i64'>;
type F32 = Expr<'f32'>;
type F64 = Expr<'f64'>;

/** Instructions behind the prefix 0xfd; the relaxed ones are those of the relaxed SIMD proposal. */
export const VECTOR = {
  splatF32: 0x13,
  splatF64: 0x14,
  extractF32: 0x1f,
  extractF64: 0x21,
  multiplyAddF32: 0x105,
  multiplyAddF64: 0x107,
} as const;

function unary<R extends ValueType, A extends ValueType>(type: R, op: number) {
  return (a: Expr<A>): Expr<R> => ({ kind: 'unary', type, op, a });
}

function binary<R extends ValueType, A extends ValueType>(type: R, op: number) {
  return (a: Expr<A>, b: Expr<A>): Expr<R> => ({ kind: 'binary', type, op, a, b });
}

function load<R extends ValueType>(type: R, op: number) {
  return (address: I32, offset = 0): Expr<R> => ({ kind: 'load', type, op, address, offset });
}

/** See the node: the host chooses between one rounding and two. */
function multiplyAdd<T extends 'f32' | 'f64'>(type: T) {
  return (a: Expr<T>, b: Expr<T>, c: Expr<T>): Expr<T> => ({ kind: 'multiply-add', type, a, b, c });
}

function store<V extends ValueType>(op: number) {
  return (address: I32, value: Expr<V>, offset = 0): Stmt => ({
    kind: 'store',
    op,
    address,
    offset,
    value,
  });
}

export const i32 = {
  const: (value: number): I32 => ({ kind: 'const', type: 'i32', value: value | 0 }),
  load: load('i32', 0x28),
  load8S: load('i32', 0x2c),
  load8U: load('i32', 0x2d),
  load16S: load('i32', 0x2e),
  load16U: load('i32', 0x2f),
  store: store<'i32'>(0x36),
  store8: store<'i32'>(0x3a),
  store16: store<'i32'>(0x3b),
  eqz: unary<'i32', 'i32'>('i32', 0x45),
  eq: binary<'i32', 'i32'>('i32', 0x46),
  ne: binary<'i32', 'i32'>('i32', 0x47),
  ltS: binary<'i32', 'i32'>('i32', 0x48),
  ltU: binary<'i32', 'i32'>('i32', 0x49),
  gtS: binary<'i32', 'i32'>('i32', 0x4a),
  gtU: binary<'i32', 'i32'>('i32', 0x4b),
  leS: binary<'i32', 'i32'>('i32', 0x4c),
  leU: binary<'i32', 'i32'>('i32', 0x4d),
  geS: binary<'i32', 'i32'>('i32', 0x4e),
  geU: binary<'i32', 'i32'>('i32', 0x4f),
  clz: unary<'i32', 'i32'>('i32', 0x67),
  ctz: unary<'i32', 'i32'>('i32', 0x68),
  popcnt: unary<'i32', 'i32'>('i32', 0x69),
  add: binary<'i32', 'i32'>('i32', 0x6a),
  sub: binary<'i32', 'i32'>('i32', 0x6b),
  mul: binary<'i32', 'i32'>('i32', 0x6c),
  divS: binary<'i32', 'i32'>('i32', 0x6d),
  divU: binary<'i32', 'i32'>('i32', 0x6e),
  remS: binary<'i32', 'i32'>('i32', 0x6f),
  remU: binary<'i32', 'i32'>('i32', 0x70),
  and: binary<'i32', 'i32'>('i32', 0x71),
  or: binary<'i32', 'i32'>('i32', 0x72),
  xor: binary<'i32', 'i32'>('i32', 0x73),
  shl: binary<'i32', 'i32'>('i32', 0x74),
  shrS: binary<'i32', 'i32'>('i32', 0x75),
  shrU: binary<'i32', 'i32'>('i32', 0x76),
  rotl: binary<'i32', 'i32'>('i32', 0x77),
  rotr: binary<'i32', 'i32'>('i32', 0x78),
  wrap: unary<'i32', 'i64'>('i32', 0xa7),
  extend8S: unary<'i32', 'i32'>('i32', 0xc0),
  extend16S: unary<'i32', 'i32'>('i32', 0xc1),
  reinterpretF32: unary<'i32', 'f32'>('i32', 0xbc),
};

export const i64 = {
  const: (value: bigint | number): I64 => ({
    kind: 'const',
    type: 'i64',
    value: BigInt.asIntN(64, BigInt(value)),
  }),
  load: load('i64', 0x29),
  load8S: load('i64', 0x30),
  load8U: load('i64', 0x31),
  load16S: load('i64', 0x32),
  load16U: load('i64', 0x33),
  load32S: load('i64', 0x34),
  load32U: load('i64', 0x35),
  store: store<'i64'>(0x37),
  store8: store<'i64'>(0x3c),
  store16: store<'i64'>(0x3d),
  store32: store<'i64'>(0x3e),
  eqz: unary<'i32', 'i64'>('i32', 0x50),
  eq: binary<'i32', 'i64'>('i32', 0x51),
  ne: binary<'i32', 'i64'>('i32', 0x52),
  ltS: binary<'i32', 'i64'>('i32', 0x53),
  ltU: binary<'i32', 'i64'>('i32', 0x54),
  gtS: binary<'i32', 'i64'>('i32', 0x55),
  gtU: binary<'i32', 'i64'>('i32', 0x56),
  leS: binary<'i32', 'i64'>('i32', 0x57),
  leU: binary<'i32', 'i64'>('i32', 0x58),
  geS: binary<'i32', 'i64'>('i32', 0x59),
  geU: binary<'i32', 'i64'>('i32', 0x5a),
  clz: unary<'i64', 'i64'>('i64', 0x79),
  ctz: unary<'i64', 'i64'>('i64', 0x7a),
  popcnt: unary<'i64', 'i64'>('i64', 0x7b),
  add: binary<'i64', 'i64'>('i64', 0x7c),
  sub: binary<'i64', 'i64'>('i64', 0x7d),
  mul: binary<'i64', 'i64'>('i64', 0x7e),
  divS: binary<'i64', 'i64'>('i64', 0x7f),
  divU: binary<'i64', 'i64'>('i64', 0x80),
  remS: binary<'i64', 'i64'>('i64', 0x81),
  remU: binary<'i64', 'i64'>('i64', 0x82),
  and: binary<'i64', 'i64'>('i64', 0x83),
  or: binary<'i64', 'i64'>('i64', 0x84),
  xor: binary<'i64', 'i64'>('i64', 0x85),
  shl: binary<'i64', 'i64'>('i64', 0x86),
  shrS: binary<'i64', 'i64'>('i64', 0x87),
  shrU: binary<'i64', 'i64'>('i64', 0x88),
  rotl: binary<'i64', 'i64'>('i64', 0x89),
  rotr: binary<'i64', 'i64'>('i64', 0x8a),
  extendI32S: unary<'i64', 'i32'>('i64', 0xac),
  extendI32U: unary<'i64', 'i32'>('i64', 0xad),
  extend8S: unary<'i64', 'i64'>('i64', 0xc2),
  extend16S: unary<'i64', 'i64'>('i64', 0xc3),
  extend32S: unary<'i64', 'i64'>('i64', 0xc4),
  reinterpretF64: unary<'i64', 'f64'>('i64', 0xbd),
  /** Saturating conversions, prefix 0xfc; written here as 0xfc00 + sub-opcode. */
  truncSatF64S: unary<'i64', 'f64'>('i64', 0xfc06),
  truncSatF64U: unary<'i64', 'f64'>('i64', 0xfc07),
};

export const f32 = {
  add: binary<'f32', 'f32'>('f32', 0x92),
  sub: binary<'f32', 'f32'>('f32', 0x93),
  mul: binary<'f32', 'f32'>('f32', 0x94),
  div: binary<'f32', 'f32'>('f32', 0x95),
  sqrt: unary<'f32', 'f32'>('f32', 0x91),
  neg: unary<'f32', 'f32'>('f32', 0x8c),
  min: binary<'f32', 'f32'>('f32', 0x96),
  max: binary<'f32', 'f32'>('f32', 0x97),
  multiplyAdd: multiplyAdd('f32'),
  demote: unary<'f32', 'f64'>('f32', 0xb6),
  convertI64S: unary<'f32', 'i64'>('f32', 0xb4),
  convertI64U: unary<'f32', 'i64'>('f32', 0xb5),
  reinterpretI32: unary<'f32', 'i32'>('f32', 0xbe),
  eq: binary<'i32', 'f32'>('i32', 0x5b),
  lt: binary<'i32', 'f32'>('i32', 0x5d),
  le: binary<'i32', 'f32'>('i32', 0x5f),
};

export const f64 = {
  load: load('f64', 0x2b),
  store: store<'f64'>(0x39),
  const: (value: number): F64 => ({ kind: 'const', type: 'f64', value }),
  add: binary<'f64', 'f64'>('f64', 0xa0),
  sub: binary<'f64', 'f64'>('f64', 0xa1),
  mul: binary<'f64', 'f64'>('f64', 0xa2),
  div: binary<'f64', 'f64'>('f64', 0xa3),
  sqrt: unary<'f64', 'f64'>('f64', 0x9f),
  neg: unary<'f64', 'f64'>('f64', 0x9a),
  min: binary<'f64', 'f64'>('f64', 0xa4),
  max: binary<'f64', 'f64'>('f64', 0xa5),
  multiplyAdd: multiplyAdd('f64'),
  promote: unary<'f64', 'f32'>('f64', 0xbb),
  convertI64S: unary<'f64', 'i64'>('f64', 0xb9),
  convertI64U: unary<'f64', 'i64'>('f64', 0xba),
  reinterpretI64: unary<'f64', 'i64'>('f64', 0xbf),
  eq: binary<'i32', 'f64'>('i32', 0x61),
  lt: binary<'i32', 'f64'>('i32', 0x63),
  le: binary<'i32', 'f64'>('i32', 0x65),
};

export type { F32, F64, I32, I64 };
