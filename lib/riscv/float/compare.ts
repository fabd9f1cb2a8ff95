/**
 * Comparison, minimum and maximum, classification and sign injection: exact, so no rounding.
 *
 * `eq` is quiet: only a signalling NaN raises NV. `lt` and `le` raise NV for any NaN. Minimum and
 * maximum are IEEE 754-2019 minimumNumber and maximumNumber (RISC-V "F" 2.2): a NaN loses against
 * a number, and -0 is less than +0.
 */

import { local, select, set, unlikely, when } from '../../wasm/ir.js';
import type { Expr, Local, Stmt } from '../../wasm/ir.js';
import type { ModuleBuilder } from '../../wasm/module.js';
import { f32, f64, i32, i64 } from '../../wasm/ops.js';
import * as fmt from './format.js';
import { ExceptionFlag, giveBack, raise, type FloatFormat } from './format.js';
import { asF32 } from './native.js';
import { propagateNan } from './round-pack.js';
import { FLOAT } from './signatures.js';

export function defineCompare(module: ModuleBuilder, format: FloatFormat): void {
  for (const relation of ['eq', 'lt', 'le'] as const) defineRelation(module, format, relation);
  for (const extremum of ['min', 'max'] as const) defineExtremum(module, format, extremum);
  for (const kind of ['sgnj', 'sgnjn', 'sgnjx'] as const) defineSign(module, format, kind);
  defineClass(module, format);
}

function defineRelation(
  module: ModuleBuilder,
  format: FloatFormat,
  relation: 'eq' | 'lt' | 'le',
): void {
  const a = local('i64');
  const b = local('i64');
  const signalling = i32.or(fmt.isSignalling(format, a), fmt.isSignalling(format, b));
  const invalid = raise(ExceptionFlag.invalid);
  const holds =
    format.name === 'f32'
      ? f32[relation](asF32(a), asF32(b))
      : f64[relation](f64.reinterpretI64(a), f64.reinterpretI64(b));
  module.define(
    FLOAT[`${format.name}_${relation}`],
    [a, b],
    [
      ...fmt.unboxAll(format, [a, b]),
      unlikely(i32.or(fmt.isNan(format, a), fmt.isNan(format, b)), [
        relation === 'eq' ? when(signalling, [invalid]) : invalid,
        giveBack(i64.const(0)),
      ]),
      giveBack(i64.extendI32U(holds)),
    ],
  );
}

function defineExtremum(module: ModuleBuilder, format: FloatFormat, extremum: 'min' | 'max'): void {
  const a = local('i64');
  const b = local('i64');
  const orderA = local('i64');
  const orderB = local('i64');
  const aIsNan = fmt.isNan(format, a);
  const bIsNan = fmt.isNan(format, b);
  const takesA = (extremum === 'min' ? i64.ltS : i64.gtS)(orderA, orderB);
  module.define(
    FLOAT[`${format.name}_${extremum}`],
    [a, b],
    [
      ...fmt.unboxAll(format, [a, b]),
      unlikely(i32.or(aIsNan, bIsNan), [
        { kind: 'drop', value: propagateNan(format, a, b) },
        when(i32.and(aIsNan, bIsNan), [giveBack(fmt.canonicalNan(format))]),
        giveBack(fmt.box(format, select(aIsNan, b, a))),
      ]),
      ...totalOrder(format, a, orderA),
      ...totalOrder(format, b, orderB),
      giveBack(fmt.box(format, select(takesA, a, b))),
    ],
  );
}

/** Maps plain bits to integers in the order of the numbers, -0 just below +0. */
function totalOrder(
  format: FloatFormat,
  plain: Local<'i64'>,
  order: Local<'i64'>,
): readonly Stmt[] {
  const extended = format.bits === 32 ? i64.extend32S(plain) : plain;
  const negative = i64.shrS(order, i64.const(63));
  const flipped = i64.and(negative, i64.const((1n << 63n) - 1n));
  return [set(order, extended), set(order, i64.xor(order, flipped))];
}

function defineSign(
  module: ModuleBuilder,
  format: FloatFormat,
  kind: 'sgnj' | 'sgnjn' | 'sgnjx',
): void {
  const a = local('i64');
  const b = local('i64');
  const signBit = i64.const(format.signBit);
  const signs: Record<typeof kind, Expr<'i64'>> = {
    sgnj: b,
    sgnjn: i64.xor(b, i64.const(-1)),
    sgnjx: i64.xor(a, b),
  };
  const sign = i64.and(signs[kind], signBit);
  module.define(
    FLOAT[`${format.name}_${kind}`],
    [a, b],
    [
      ...fmt.unboxAll(format, [a, b]),
      giveBack(fmt.box(format, i64.or(fmt.magnitudeOf(format, a), sign))),
    ],
  );
}

/** Bit numbers of `fclass`: negatives 0 to 3, from infinity to zero, then positives mirrored. */
const CLASS = { positiveZero: 4, signallingNan: 8, quietNan: 9 } as const;

function defineClass(module: ModuleBuilder, format: FloatFormat): void {
  const a = local('i64');
  const rank = local('i64');
  const bitOf = (index: Expr<'i64'>): Stmt => giveBack(i64.shl(i64.const(1), index));
  const magnitude = fmt.magnitudeOf(format, a);
  const atLeast = (bound: bigint): Expr<'i64'> =>
    i64.extendI32U(i64.geU(magnitude, i64.const(bound)));
  const negative = i64.ne(fmt.signOf(format, a), i64.const(0));
  module.define(
    FLOAT[`${format.name}_class`],
    [a],
    [
      ...fmt.unboxAll(format, [a]),
      when(fmt.isNan(format, a), [
        bitOf(
          select(
            fmt.isSignalling(format, a),
            i64.const(CLASS.signallingNan),
            i64.const(CLASS.quietNan),
          ),
        ),
      ]),
      // 0 for zero, 1 for subnormal, 2 for normal, 3 for infinity.
      set(
        rank,
        i64.add(atLeast(1n), i64.add(atLeast(format.fractionMask + 1n), atLeast(format.infinity))),
      ),
      bitOf(
        select(
          negative,
          i64.sub(i64.const(CLASS.positiveZero - 1), rank),
          i64.add(i64.const(CLASS.positiveZero), rank),
        ),
      ),
    ],
  );
}
