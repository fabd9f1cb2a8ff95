/**
 * Whether the host's relaxed multiply-add rounds once, as a fused multiply-add does.
 *
 * WebAssembly leaves it to the host whether `relaxed_madd` rounds once or twice, but a host must
 * choose once and for all: the choice is a constant of the environment, not of the instruction
 * (relaxed SIMD proposal, "implementation-defined ... globally fixed"). So it is found out by
 * asking, with sums for which the two differ. Where it rounds once, the result is that of IEEE
 * 754's fusedMultiplyAdd and may be taken under the rules of `native.ts`; where it rounds twice, or
 * the engine does not know the instruction, `native-fused.ts` does it in plain operations. The
 * results are equal, and replicas may differ in this.
 */

import { local, ret, type FunctionSignature } from '../../wasm/ir.js';
import { ModuleBuilder } from '../../wasm/module.js';
import { f32, f64 } from '../../wasm/ops.js';

/** The part of the WebAssembly JavaScript interface that is used; the zone has no DOM types. */
declare const WebAssembly: {
  Module: new (bytes: Uint8Array) => object;
  Instance: new (
    module: object,
    imports: object,
  ) => { readonly exports: Readonly<Record<string, (...values: number[]) => number>> };
  Memory: new (description: { initial: number; maximum: number; shared: boolean }) => object;
  validate: (bytes: Uint8Array) => boolean;
};

const IN_F32: FunctionSignature = { name: 'inF32', params: ['f32', 'f32', 'f32'], result: 'f32' };
const IN_F64: FunctionSignature = { name: 'inF64', params: ['f64', 'f64', 'f64'], result: 'f64' };

/** a, b, c and their exact `a * b + c`; rounded twice each gives another number. */
const CASES_F64: readonly (readonly [number, number, number, number])[] = [
  [1 + 2 ** -30, 1 + 2 ** -30, -1 - 2 ** -29, 2 ** -60],
  [1 + 2 ** -52, 1 - 2 ** -52, -1, -(2 ** -104)],
  [3, 1 / 3, -1, -(2 ** -54)],
  [2 ** 600 * (1 + 2 ** -40), 2 ** 300 * (1 + 2 ** -40), -(2 ** 900) - 2 ** 861, 2 ** 820],
];
const CASES_F32: readonly (readonly [number, number, number, number])[] = [
  [1 + 2 ** -15, 1 + 2 ** -15, -1 - 2 ** -14, 2 ** -30],
  [1 + 2 ** -23, 1 - 2 ** -23, -1, -(2 ** -46)],
  [2 ** 60 * (1 + 2 ** -20), 2 ** 40 * (1 + 2 ** -20), -(2 ** 100) - 2 ** 81, 2 ** 60],
];

let answer: boolean | null = null;

/** Asked once in each thread. */
export function hostFuses(): boolean {
  answer ??= ask();
  return answer;
}

function ask(): boolean {
  const bytes = build();
  if (!WebAssembly.validate(bytes)) return false;
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes), { env: { memory } });
  const all = (name: string, cases: typeof CASES_F64): boolean =>
    cases.every(([a, b, c, exact]) => exports[name]?.(a, b, c) === exact);
  return all(IN_F64.name, CASES_F64) && all(IN_F32.name, CASES_F32);
}

function build(): Uint8Array {
  const module = new ModuleBuilder({ initialPages: 1, maximumPages: 1 });
  const singles = [local('f32'), local('f32'), local('f32')] as const;
  const doubles = [local('f64'), local('f64'), local('f64')] as const;
  module.define(IN_F32, singles, [ret(f32.multiplyAdd(...singles))]);
  module.define(IN_F64, doubles, [ret(f64.multiplyAdd(...doubles))]);
  module.exportAll();
  return module.finish();
}
