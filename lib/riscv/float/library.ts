/**
 * The floating-point library of the machine: exact IEEE 754 arithmetic of the F and D extensions
 * as WebAssembly functions, called by generated code.
 *
 * Results and flags depend on nothing but operands, rounding mode and this code: the exact path
 * is integer arithmetic, and the host's floating point is used only where its result is proven
 * equal (`native.ts`). Calling conventions are in `signatures.ts` and `format.ts`. The functions
 * know no registers, no `frm` and no `mstatus.FS`; their caller does.
 */

import type { ModuleBuilder } from '../../wasm/module.js';
import { defineAddMul } from './add-mul.js';
import { defineCompare } from './compare.js';
import { defineConvert } from './convert.js';
import { defineDivideSqrt } from './divide-sqrt.js';
import { F32, F64 } from './format.js';
import { defineFused } from './fused.js';
import { defineRoundPack } from './round-pack.js';
import { defineWide } from './wide.js';

/** Defines every function of `FLOAT`; the module must define `FLAGS_GLOBAL` as i32. */
export function defineFloatLibrary(module: ModuleBuilder): void {
  defineWide(module);
  for (const format of [F32, F64]) {
    defineRoundPack(module, format);
    defineAddMul(module, format);
    defineDivideSqrt(module, format);
    defineFused(module, format);
    defineCompare(module, format);
  }
  defineConvert(module);
}

export { ExceptionFlag, FLAGS_GLOBAL, RoundingMode } from './format.js';
export { FLOAT, type FloatFunction } from './signatures.js';
