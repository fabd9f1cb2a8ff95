/**
 * A second reference that needs no tool: a fused multiply-add of finite operands in exact
 * arbitrary-precision integers, rounded by the definition. It is slow and short on purpose, and
 * shares no idea with the library. Sums are fma(a, 1, b), products fma(a, b, ±0).
 */

import { ExceptionFlag, RoundingMode } from '../../lib/riscv/float/library.js';

interface Shape {
  readonly fractionBits: number;
  readonly bias: number;
}

const SHAPES: Readonly<Record<'f32' | 'f64', Shape>> = {
  f32: { fractionBits: 23, bias: 127 },
  f64: { fractionBits: 52, bias: 1023 },
};

/** `mantissa * 2^exponent`, exactly. */
interface Dyadic {
  readonly negative: boolean;
  readonly mantissa: bigint;
  readonly exponent: number;
}

export interface ExactResult {
  readonly plain: bigint;
  readonly flags: number;
}

function widthOf(shape: Shape): number {
  return Math.log2(shape.bias + 1) + 2 + shape.fractionBits;
}

/** The value of plain bits, or null for infinities and NaNs. */
function valueOf(shape: Shape, plain: bigint): Dyadic | null {
  const fraction = BigInt.asUintN(shape.fractionBits, plain);
  const field = Number(plain >> BigInt(shape.fractionBits)) & (2 * shape.bias + 1);
  if (field === 2 * shape.bias + 1) return null;
  const leading = field === 0 ? 0n : 1n << BigInt(shape.fractionBits);
  return {
    negative: plain >> BigInt(widthOf(shape) - 1) === 1n,
    mantissa: leading | fraction,
    exponent: Math.max(field, 1) - shape.bias - shape.fractionBits,
  };
}

/** a × b + c, or null where an operand is not finite. */
export function exactFused(
  format: 'f32' | 'f64',
  operands: { readonly a: bigint; readonly b: bigint; readonly c: bigint },
  mode: number,
): ExactResult | null {
  const shape = SHAPES[format];
  const a = valueOf(shape, operands.a);
  const b = valueOf(shape, operands.b);
  const c = valueOf(shape, operands.c);
  if (a === null || b === null || c === null) return null;
  const negative = a.negative !== b.negative;
  const exponent = Math.min(a.exponent + b.exponent, c.exponent);
  const scaled = (value: bigint, from: number, minus: boolean): bigint =>
    (minus ? -value : value) << BigInt(from - exponent);
  const product = scaled(a.mantissa * b.mantissa, a.exponent + b.exponent, negative);
  const sum = product + scaled(c.mantissa, c.exponent, c.negative);
  if (sum === 0n) {
    const bothNegative = negative && c.negative;
    const sameSign = negative === c.negative;
    const minusZero = sameSign ? bothNegative : mode === RoundingMode.RDN;
    return { plain: signBit(shape, minusZero), flags: 0 };
  }
  const magnitude = sum < 0n ? -sum : sum;
  return round(shape, { negative: sum < 0n, mantissa: magnitude, exponent }, mode);
}

function signBit(shape: Shape, negative: boolean): bigint {
  return negative ? 1n << BigInt(widthOf(shape) - 1) : 0n;
}

/** The neighbours' choice at a last place of weight `2^place`. */
function roundAt(value: Dyadic, place: number, mode: number): { n: bigint; inexact: boolean } {
  const shift = place - value.exponent;
  if (shift <= 0) return { n: value.mantissa << BigInt(-shift), inexact: false };
  const n = value.mantissa >> BigInt(shift);
  const rest = value.mantissa - (n << BigInt(shift));
  if (rest === 0n) return { n, inexact: false };
  const twice = rest * 2n;
  const unit = 1n << BigInt(shift);
  const up =
    mode === RoundingMode.RNE
      ? twice > unit || (twice === unit && n % 2n === 1n)
      : mode === RoundingMode.RMM
        ? twice >= unit
        : mode === (value.negative ? RoundingMode.RDN : RoundingMode.RUP);
  return { n: up ? n + 1n : n, inexact: true };
}

function round(shape: Shape, value: Dyadic, mode: number): ExactResult {
  const precision = shape.fractionBits + 1;
  const lowest = 1 - shape.bias - shape.fractionBits;
  const free = value.mantissa.toString(2).length + value.exponent - precision;
  const place = Math.max(free, lowest);
  const { n, inexact } = roundAt(value, place, mode);
  const unbounded = roundAt(value, free, mode).n;
  const tiny = free + unbounded.toString(2).length < lowest + precision;
  const sign = signBit(shape, value.negative);
  // A carry to the next power of two is carried on by the encoding itself.
  const plain = (BigInt(place - lowest) << BigInt(shape.fractionBits)) + n;
  const infinity = BigInt(2 * shape.bias + 1) << BigInt(shape.fractionBits);
  if (plain >= infinity) {
    const nearest = mode === RoundingMode.RNE || mode === RoundingMode.RMM;
    const away = mode === (value.negative ? RoundingMode.RDN : RoundingMode.RUP);
    const limit = nearest || away ? infinity : infinity - 1n;
    return { plain: sign | limit, flags: ExceptionFlag.overflow | ExceptionFlag.inexact };
  }
  const underflow = tiny && inexact ? ExceptionFlag.underflow : 0;
  return { plain: sign | plain, flags: (inexact ? ExceptionFlag.inexact : 0) | underflow };
}
