/**
 * What a hart asks of a compiler of hot code, and what the compiler needs of the hart. The
 * compiler itself lies in a higher layer (`lib/jit`); a hart runs without one.
 */

import type { MemoryLimits } from '../wasm/module.js';
import type { CodeCache, StoreOutcome } from './code-cache.js';
import type { HartMemory } from './hart-memory.js';
import type { Mmu } from './mmu.js';
import type { PageRights } from './page-rights.js';
import type { VirtualAddress } from './translation-cache.js';
import type { FrameAddresses } from './semantics/access-frame.js';

export interface RegionCompiler {
  /** The jump target at pc, whose slot is at `slot`, was met often. */
  hot(slot: number): void;
  /** The guest is at pc at the end of a long stretch: the sample of a profile. */
  sample(): void;
  /** Whether an entry may be used at pc under the present mapping; notes it for the epoch. */
  validate(entry: number): boolean;
  /** A store to halfwords `first` to `last` of a RAM page. */
  stored(ramPage: number, first: number, last: number): StoreOutcome;
  /** Whether a region has code at a virtual page. */
  covers(at: VirtualAddress): boolean;
  /** Drops everything. */
  clear(): void;
}

export interface HartInternals {
  readonly memory: HartMemory;
  readonly mmu: Mmu;
  readonly rights: PageRights;
  readonly code: CodeCache;
  readonly addresses: FrameAddresses;
  readonly limits: MemoryLimits;
  /** Steps counted, exact at any moment. */
  readonly step: () => bigint;
  /** Functions that regions import, by name. */
  readonly callees: Readonly<Record<string, unknown>>;
  /** Table of region functions, called by the interpreter. */
  readonly table: FunctionTable;
}

/** The part of `WebAssembly.Table` that is used. */
export interface FunctionTable {
  readonly length: number;
  set(index: number, value: unknown): void;
  grow(entries: number): number;
}

export interface CompilerOptions {
  readonly create: (internals: HartInternals) => RegionCompiler;
  /** Times that a jump target is met before it is compiled: 1 to 65535. */
  readonly hotAfter: number;
}
