/**
 * Numbers of the WebAssembly binary format (core specification 2.0, chapter 5) that the emitter and
 * the module builder share.
 */

import type { ValueType } from './ir.js';

export const TYPE_CODE: Record<ValueType, number> = { i32: 0x7f, i64: 0x7e, f32: 0x7d, f64: 0x7c };
/** The type of a block without a result. */
export const VOID_TYPE = 0x40;

/** log2 of the natural alignment, by load or store opcode. */
export function naturalAlignment(op: number): number {
  switch (op) {
    case 0x2c:
    case 0x2d:
    case 0x30:
    case 0x31:
    case 0x3a:
    case 0x3c:
      return 0;
    case 0x2e:
    case 0x2f:
    case 0x32:
    case 0x33:
    case 0x3b:
    case 0x3d:
      return 1;
    case 0x28:
    case 0x34:
    case 0x35:
    case 0x36:
    case 0x3e:
      return 2;
    default:
      return 3;
  }
}
