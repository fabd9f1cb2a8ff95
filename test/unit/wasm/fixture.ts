/**
 * Modules for tests of the WebAssembly writer: one function, validated and instantiated by the
 * host.
 */

import { ModuleBuilder } from '../../../lib/wasm/module.js';
import type { FunctionSignature, Local, Stmt, ValueType } from '../../../lib/wasm/ir.js';

/** The part of the WebAssembly JavaScript interface that is used; Node's types have none. */
declare const WebAssembly: {
  Memory: new (limits: { initial: number; maximum: number; shared: boolean }) => {
    readonly buffer: SharedArrayBuffer;
  };
  Module: new (bytes: Uint8Array) => object;
  Instance: new (module: object, imports: object) => { readonly exports: object };
};

export interface Built {
  readonly bytes: Uint8Array;
  readonly memory: DataView;
  readonly run: (...args: (number | bigint)[]) => number | bigint | undefined;
}

export interface Body {
  readonly params?: readonly Local[];
  readonly result?: ValueType | null;
  readonly body: readonly Stmt[];
  /** Locals behind the parameters that are numbered first. */
  readonly declared?: readonly Local[];
  readonly globals?: readonly (readonly [name: string, type: ValueType])[];
  readonly imports?: Readonly<Record<string, (...args: number[]) => number>>;
}

/** Imported functions take two i32 and give one. */
export const importOf = (name: string): FunctionSignature => ({
  name,
  params: ['i32', 'i32'],
  result: 'i32',
});

export function build({ params = [], result = null, ...rest }: Body): Built {
  const module = new ModuleBuilder({ initialPages: 1, maximumPages: 1 });
  for (const name of Object.keys(rest.imports ?? {})) module.importFunction(importOf(name));
  for (const [name, type] of rest.globals ?? []) module.defineGlobal(name, type);
  const signature = { name: 'run', params: params.map(({ type }) => type), result };
  module.define(signature, params, rest.body, {
    exported: true,
    declared: rest.declared ?? [],
  });
  const bytes = module.finish();
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
  const env = { memory, ...rest.imports };
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes), { env });
  const { run } = exports as Pick<Built, 'run'>;
  return { bytes, memory: new DataView(memory.buffer), run };
}
