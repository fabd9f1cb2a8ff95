/**
 * Floating point in place: an instruction of the F and D extensions by the host's own operation,
 * where the result shows that it is what the exact library would give, flags included.
 *
 * The rules are those of `lib/riscv/float/native.ts`: rounding to nearest even, NX set already, and
 * a result that can hide nothing else. Mode, flag and result are looked at by one comparison: the
 * bits without the sign are below a limit that is 0 where mode or flag are not as they must be.
 * Where it doesn't hold, the instruction's own semantics run: a call of the library.
 */

import { when, type Stmt } from '../wasm/ir.js';
import { f32, f64, i64 } from '../wasm/ops.js';
import type { Decoded } from '../riscv/decode.js';
import { RoundingMode } from '../riscv/float/format.js';
import { hostFuses } from '../riscv/float/host-fused.js';
import { doublePath, rounded } from './float-path-double.js';
import {
  bitsOf,
  boxed,
  isSafelyNormal,
  singleOf,
  Operands,
  type NativePath,
} from './float-path-operands.js';
import { roundedSingle, singlePath } from './float-path-single.js';
import type { RegionFrame } from './region-frame.js';
import { refreshFloat } from './region-locals.js';

const DYNAMIC = 7;

/** The statements of an instruction with a native path, or null where there is none. */
export function nativeFloat(
  frame: RegionFrame,
  exact: () => readonly Stmt[],
): readonly Stmt[] | null {
  const called = libraryCall(frame.decoded);
  const path = called === null ? null : pathOf(called, new Operands(frame));
  if (path === null) return null;
  const usable = frame.requireFloat('usable');
  if (path.holds === null) return [...usable, ...path.compute, ...path.commit];
  const otherwise = [...exact(), refreshFloat()];
  return [...usable, ...path.compute, when(path.holds, path.commit, otherwise, 'likely')];
}

interface LibraryCall {
  /** `f64_add` */
  readonly name: string;
  /** Arguments that are the same for each use of the instruction. */
  readonly constants: readonly number[];
}

/** The call of the library that the instruction is; mulhu is a call too, but of another. */
function libraryCall(decoded: Decoded): LibraryCall | null {
  const { extension } = decoded.instruction;
  if (extension !== 'F' && extension !== 'D') return null;
  for (const stmt of decoded.instruction.semantics) {
    if (stmt.kind !== 'assign' || stmt.value.kind !== 'call') continue;
    const { target, args } = stmt.value;
    const constants = args.flatMap((arg) => (arg.kind === 'const' ? [Number(arg.value)] : []));
    return { name: target.name, constants };
  }
  return null;
}

function pathOf({ name, constants }: LibraryCall, operands: Operands): NativePath | null {
  const [width, operation] = [name.slice(0, 3), name.slice(4)];
  const isTruncation = operation.startsWith('to_i') || operation.startsWith('to_u');
  if (!isTruncation && !mayBeNearest(operands.frame.decoded)) return null;
  if (operation === 'fma') return fused(width, constants, operands);
  if (width === 'f64') return doublePath(operation, operands);
  if (width === 'f32') return singlePath(operation, operands);
  return fromInteger(name, operands);
}

/** An encoding may name a mode of its own, whatever frm says; 7 is frm. */
function mayBeNearest(decoded: Decoded): boolean {
  const { instruction, rm } = decoded;
  return !instruction.rounds || rm === RoundingMode.RNE || rm === DYNAMIC;
}

/** Signs of product and addend are given as they are in the library's call. */
function fused(
  width: string,
  [negateProduct = 0, negateAddend = 0]: readonly number[],
  operands: Operands,
): NativePath | null {
  if (!hostFuses()) return null;
  const { a, b, c, aBits, bBits, cBits } = operands;
  if (width === 'f64') {
    const product = negateProduct === 0 ? a : f64.neg(a);
    const addend = negateAddend === 0 ? c : f64.neg(c);
    return rounded(operands, f64.multiplyAdd(product, b, addend), isSafelyNormal(operands));
  }
  const first = negateProduct === 0 ? singleOf(aBits) : f32.neg(singleOf(aBits));
  const addend = negateAddend === 0 ? singleOf(cBits) : f32.neg(singleOf(cBits));
  const value = f32.multiplyAdd(first, singleOf(bBits), addend);
  return roundedSingle(operands, value, [aBits, bBits, cBits]);
}

function fromInteger(name: string, operands: Operands): NativePath | null {
  const { frame, nearest } = operands;
  const integer = frame.read('rs1');
  const [from, to] = [name.slice(0, 3), name.slice(-3)];
  const isWide = from === 'i64' || from === 'u64';
  const value =
    from === 'i32'
      ? i64.extend32S(integer)
      : from === 'u32'
        ? i64.and(integer, i64.const(0xffffffffn))
        : integer;
  if (to === 'f64') {
    const convert = from === 'u64' ? f64.convertI64U : f64.convertI64S;
    // Every 32-bit integer is a double.
    const holds = isWide ? nearest : null;
    return { compute: [], holds, commit: operands.writeFloat(convert(value)) };
  }
  const convert = from === 'u64' ? f32.convertI64U : f32.convertI64S;
  const commit = operands.writeFloat(boxed(bitsOf(convert(value))));
  return { compute: [], holds: nearest, commit };
}
