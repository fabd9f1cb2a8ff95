/**
 * Compiles and instantiates the interpreter of one hart. The only file of this layer that touches
 * the `WebAssembly` object.
 */

import type { HartMemory } from '../hart-memory.js';
import { WASM_PAGE_BYTES } from '../../memory/layout.js';
import type { IMPORTS } from '../semantics/access-frame.js';
import { buildInterpreter } from './module.js';

/** The part of the WebAssembly JavaScript interface that is used; the zone has no DOM types. */
declare const WebAssembly: {
  Module: new (bytes: Uint8Array) => object;
  Instance: new (module: object, imports: object) => { readonly exports: object };
};

/** Every import takes and gives i32. */
export type HartImports = Readonly<Record<keyof typeof IMPORTS, (...args: number[]) => number>>;

export interface InterpreterExports {
  /** Executes until `budget` steps are spent or a recheck is needed; see `frame.ts`. */
  run(budget: number): number;
  /** 64-bit hash of the 4096 bytes at a host address. */
  hashPage(host: number): bigint;
}

export function instantiate(
  memory: { readonly buffer: ArrayBufferLike },
  hart: HartMemory,
  imports: HartImports,
): InterpreterExports {
  const { layout } = hart;
  const pages = layout.totalBytes / WASM_PAGE_BYTES;
  const bytes = buildInterpreter(
    {
      hart: layout.offsetOf(`hart${hart.hart}`),
      mailbox: hart.mailbox,
      cross: layout.offsetOf(`cross${hart.hart}`),
      ram: layout.ramOffset,
    },
    { initialPages: pages, maximumPages: pages },
  );
  const instance = new WebAssembly.Instance(new WebAssembly.Module(bytes), {
    env: { memory, ...imports },
  });
  return instance.exports as InterpreterExports;
}
