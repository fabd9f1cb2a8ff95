/**
 * Fused multiply-add by the host: in one step where it has one that rounds once (`host-fused.ts`),
 * else from its plain operations, where that is exact.
 *
 * f64: the product is split without error into `productHigh + productLow` (Dekker), the addend
 * joins by two error-free sums (Knuth), and the two small remainders are added with rounding to
 * odd, so that the last addition rounds the exact value once (Boldo and Melquiond, "Emulation of
 * a FMA and correctly rounded sums: proved algorithms using rounding to odd", 2008). The guards
 * keep every intermediate value away from overflow and from the subnormal range, where the
 * error-free steps would not be.
 *
 * f32: the product is exact in f64, the sum is rounded to odd in f64, and 53 bits are enough for
 * the demotion to be the only rounding that shows (at least 24 + 2 are needed).
 *
 * As everywhere in `native.ts` the result is taken only if it shows that nothing but inexactness
 * can have happened.
 */

import { local, set, when } from '../../wasm/ir.js';
import type { Expr, Local, Stmt } from '../../wasm/ir.js';
import { f32, f64, i32, i64 } from '../../wasm/ops.js';
import * as fmt from './format.js';
import { F32, F64, giveBack, type FloatFormat } from './format.js';
import { hostFuses } from './host-fused.js';
import { asF32, fromF32, isSafelyNormal, nearestAndInexact } from './native.js';

interface Operands {
  readonly a: Local<'i64'>;
  readonly b: Local<'i64'>;
  readonly c: Local<'i64'>;
}

/** 2^27 + 1, which splits 53 bits into halves whose products are exact. */
const DEKKER_SPLITTER = 134217729;

/** Biased exponents within which no step of the f64 algorithm over- or underflows. */
const GUARD = {
  factor: { from: 54, to: 2000 },
  product: { from: 160, to: 1900 },
  addend: { from: 60, to: 1950 },
} as const;

/** Returns the native result if it is exact and may be taken; otherwise goes on. */
export function nativeFused(format: FloatFormat, operands: Operands, rm: Expr<'i32'>): Stmt {
  const plain = format.name === 'f32' ? single : double;
  const attempt = hostFuses() ? inOneStep(format, operands) : plain(operands);
  return when(nearestAndInexact(rm), attempt, [], 'likely');
}

/** The host's own multiply-add, which rounds once. */
function inOneStep(format: FloatFormat, { a, b, c }: Operands): readonly Stmt[] {
  const result = local('i64');
  const value =
    format.name === 'f32'
      ? fromF32(f32.multiplyAdd(asF32(a), asF32(b), asF32(c)))
      : i64.reinterpretF64(
          f64.multiplyAdd(f64.reinterpretI64(a), f64.reinterpretI64(b), f64.reinterpretI64(c)),
        );
  const take = giveBack(fmt.box(format, result));
  return [set(result, value), when(isSafelyNormal(format, result), [take], [], 'likely')];
}

function single({ a, b, c }: Operands): readonly Stmt[] {
  const product = local('f64');
  const addend = local('f64');
  const sum = sumWithError();
  const result = local('i64');
  const wide = (plain: Expr<'i64'>): Expr<'f64'> => f64.promote(asF32(plain));
  return [
    set(product, f64.mul(wide(a), wide(b))),
    set(addend, wide(c)),
    ...twoSum(product, addend, sum),
    ...roundToOdd(sum),
    set(result, fromF32(f32.demote(sum.value))),
    when(isSafelyNormal(F32, result), [giveBack(fmt.box(F32, result))], [], 'likely'),
  ];
}

function double({ a, b, c }: Operands): readonly Stmt[] {
  const x = local('f64');
  const y = local('f64');
  const addend = local('f64');
  const product = sumWithError();
  const low = sumWithError();
  const high = sumWithError();
  const rest = sumWithError();
  const result = local('i64');
  return [
    when(
      withinGuards({ a, b, c }),
      [
        set(x, f64.reinterpretI64(a)),
        set(y, f64.reinterpretI64(b)),
        set(addend, f64.reinterpretI64(c)),
        ...twoProduct(x, y, product),
        ...twoSum(addend, product.error, low),
        ...twoSum(product.value, low.value, high),
        ...twoSum(low.error, high.error, rest),
        ...roundToOdd(rest),
        set(result, i64.reinterpretF64(f64.add(high.value, rest.value))),
        when(isSafelyNormal(F64, result), [giveBack(result)], [], 'likely'),
      ],
      [],
      'likely',
    ),
  ];
}

function withinGuards({ a, b, c }: Operands): Expr<'i32'> {
  const within = (
    value: Expr<'i64'>,
    range: { readonly from: number; readonly to: number },
  ): Expr<'i32'> =>
    i64.leU(i64.sub(value, i64.const(range.from)), i64.const(range.to - range.from));
  const exponentA = fmt.exponentOf(F64, a);
  const exponentB = fmt.exponentOf(F64, b);
  const exponentProduct = i64.sub(i64.add(exponentA, exponentB), i64.const(F64.bias));
  const factors = i32.and(within(exponentA, GUARD.factor), within(exponentB, GUARD.factor));
  const addend = i32.or(within(fmt.exponentOf(F64, c), GUARD.addend), fmt.isZero(F64, c));
  return i32.and(i32.and(factors, within(exponentProduct, GUARD.product)), addend);
}

/** An unevaluated sum: `value` is the rounded result, `error` what the rounding left. */
interface SumWithError {
  readonly value: Local<'f64'>;
  readonly error: Local<'f64'>;
}

function sumWithError(): SumWithError {
  return { value: local('f64'), error: local('f64') };
}

/** Knuth's sum: exact for any order of magnitudes. */
function twoSum(a: Local<'f64'>, b: Local<'f64'>, sum: SumWithError): readonly Stmt[] {
  const part = local('f64');
  const errorA = f64.sub(a, f64.sub(sum.value, part));
  return [
    set(sum.value, f64.add(a, b)),
    set(part, f64.sub(sum.value, a)),
    set(sum.error, f64.add(errorA, f64.sub(b, part))),
  ];
}

/** Dekker's product. */
function twoProduct(a: Local<'f64'>, b: Local<'f64'>, product: SumWithError): readonly Stmt[] {
  const splitA = { high: local('f64'), low: local('f64') };
  const splitB = { high: local('f64'), low: local('f64') };
  const split = (value: Local<'f64'>, into: typeof splitA): readonly Stmt[] => [
    set(into.low, f64.mul(value, f64.const(DEKKER_SPLITTER))),
    set(into.high, f64.sub(into.low, f64.sub(into.low, value))),
    set(into.low, f64.sub(value, into.high)),
  ];
  const highest = f64.sub(f64.mul(splitA.high, splitB.high), product.value);
  const cross = f64.add(
    f64.add(highest, f64.mul(splitA.high, splitB.low)),
    f64.mul(splitA.low, splitB.high),
  );
  return [
    set(product.value, f64.mul(a, b)),
    ...split(a, splitA),
    ...split(b, splitB),
    set(product.error, f64.add(cross, f64.mul(splitA.low, splitB.low))),
  ];
}

/**
 * Moves an inexact, even `sum.value` by one unit in the last place towards its error: the exact
 * sum lies strictly between that odd neighbour and the even value.
 */
function roundToOdd(sum: SumWithError): readonly Stmt[] {
  const bits = local('i64');
  const towards = i64.xor(bits, i64.reinterpretF64(sum.error));
  const step = i64.or(i64.shrS(towards, i64.const(63)), i64.const(1));
  const even = i64.eqz(i64.and(bits, i64.const(1)));
  const inexact = i32.eqz(f64.eq(sum.error, f64.const(0)));
  return [
    set(bits, i64.reinterpretF64(sum.value)),
    when(i32.and(inexact, even), [set(sum.value, f64.reinterpretI64(i64.add(bits, step)))]),
  ];
}
