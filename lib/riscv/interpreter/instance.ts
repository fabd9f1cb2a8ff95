/**
 * Compiles and instantiates the interpreter of one hart. The only file of this layer that touches
 * the `WebAssembly` object.
 */

import type { HartMemory } from '../hart-memory.js';
import { WASM_PAGE_BYTES } from '../../memory/layout.js';
import type { MemoryLimits } from '../../wasm/module.js';
import type { FunctionTable } from '../region-port.js';
import type { FrameAddresses, IMPORTS } from '../semantics/access-frame.js';
import { buildInterpreter } from './module.js';

/** The part of the WebAssembly JavaScript interface that is used; the zone has no DOM types. */
declare const WebAssembly: {
  Module: new (bytes: Uint8Array) => object;
  Instance: new (module: object, imports: object) => { readonly exports: object };
  Table: new (description: { initial: number; element: 'anyfunc' }) => FunctionTable;
};

/** Every import takes and gives i32. */
export type HartImports = Readonly<Record<keyof typeof IMPORTS, (...args: number[]) => number>>;

export interface InterpreterExports {
  /** Executes until `budget` steps are spent or a recheck is needed; see `frame.ts`. */
  run(budget: number): number;
  /** 64-bit hash of the 4096 bytes at a host address. */
  hashPage(host: number): bigint;
  /** The functions that compiled regions import: slow accesses and the float library. */
  readonly [callee: string]: unknown;
}

export interface Interpreter {
  readonly exports: InterpreterExports;
  readonly table: FunctionTable;
  readonly addresses: FrameAddresses;
  readonly limits: MemoryLimits;
}

export function instantiate(
  hart: HartMemory,
  imports: HartImports,
  options: {
    readonly memory: { readonly buffer: ArrayBufferLike };
    /** See `Frame.hotAfter`. */
    readonly hotAfter: number;
  },
): Interpreter {
  const { layout } = hart;
  const { memory, hotAfter } = options;
  const pages = layout.totalBytes / WASM_PAGE_BYTES;
  const limits = { initialPages: pages, maximumPages: pages };
  const addresses = {
    hart: layout.offsetOf(`hart${hart.hart}`),
    mailbox: hart.mailbox,
    cross: layout.offsetOf(`cross${hart.hart}`),
    ram: layout.ramOffset,
    heat: layout.offsetOf(`heat${hart.hart}`),
    entries: layout.offsetOf(`entries${hart.hart}`),
    jumpCache: layout.offsetOf(`jump-cache${hart.hart}`),
  };
  const bytes = buildInterpreter(addresses, limits, hotAfter);
  const table = new WebAssembly.Table({ initial: 1, element: 'anyfunc' });
  const instance = new WebAssembly.Instance(new WebAssembly.Module(bytes), {
    env: { memory, table, ...imports },
  });
  return { exports: instance.exports as InterpreterExports, table, addresses, limits };
}
