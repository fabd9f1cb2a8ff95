/**
 * The A extension: load-reserved, store-conditional and atomic memory operations
 * (unprivileged specification, chapter 13). aq and rl need nothing: execution is sequential.
 */

import { select, type Expr } from '../../wasm/ir.js';
import { i64 } from '../../wasm/ops.js';
import { MEM, RS2, amo, row, system, type Instruction } from './instruction.js';

type I64 = Expr<'i64'>;
type Combine = (old: I64, source: I64) => I64;

const AMO_MASK = 0xf800707f;

const encode = (funct5: number, width: 4 | 8): number =>
  0x2f | ((width === 4 ? 2 : 3) << 12) | (funct5 << 27);

function pair(name: string, funct5: number, combine: Combine): readonly Instruction[] {
  const source32 = i64.extend32S(RS2);
  return [
    row('A', 'R', [`${name}.w`, encode(funct5, 4), AMO_MASK], [amo(4, combine(MEM, source32))]),
    row('A', 'R', [`${name}.d`, encode(funct5, 8), AMO_MASK], [amo(8, combine(MEM, RS2))]),
  ];
}

const pick =
  (compare: (a: I64, b: I64) => Expr<'i32'>): Combine =>
  (old, source) =>
    select(compare(old, source), old, source);

/** Unsigned comparison of sign-extended 32-bit values orders them as unsigned 32-bit ones. */
export const ATOMIC: readonly Instruction[] = [
  row('A', 'R', ['lr.w', encode(0x02, 4), 0xf9f0707f], [system('lr.4')]),
  row('A', 'R', ['lr.d', encode(0x02, 8), 0xf9f0707f], [system('lr.8')]),
  row('A', 'R', ['sc.w', encode(0x03, 4), AMO_MASK], [system('sc.4')]),
  row('A', 'R', ['sc.d', encode(0x03, 8), AMO_MASK], [system('sc.8')]),
  ...pair('amoswap', 0x01, (_old, source) => source),
  ...pair('amoadd', 0x00, i64.add),
  ...pair('amoxor', 0x04, i64.xor),
  ...pair('amoand', 0x0c, i64.and),
  ...pair('amoor', 0x08, i64.or),
  ...pair('amomin', 0x10, pick(i64.leS)),
  ...pair('amomax', 0x14, pick(i64.geS)),
  ...pair('amominu', 0x18, pick(i64.leU)),
  ...pair('amomaxu', 0x1c, pick(i64.geU)),
];
