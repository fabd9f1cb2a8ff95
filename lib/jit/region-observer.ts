/**
 * What a compiler tells of its work to whoever watches: counters for metrics, and each region for
 * tools that print it. Watching has no effect on what is compiled.
 */

import type { Region } from './region.js';

export interface RegionStatistics {
  /** Regions compiled since the start. */
  compiled: number;
  /** Regions dropped: their code changed, or the cache was full. */
  dropped: number;
  /** Guest instructions compiled since the start. */
  instructions: number;
  /** Regions there are now. */
  live: number;
  /** Their WebAssembly, before the host compiles it to its own code. */
  liveBytes: number;
  /** Time spent on discovering and compiling, by the observer's clock. */
  compileNs: bigint;
}

export interface CompiledModule {
  readonly region: Region;
  /** The WebAssembly module; it exports one function. */
  readonly bytes: Uint8Array;
}

export interface RegionObserver {
  /** Time that never goes back; only for `compileNs`. */
  monotonicNs(): bigint;
  /** A region was compiled or dropped. */
  changed(statistics: Readonly<RegionStatistics>): void;
  compiled?(module: CompiledModule): void;
  /** Called once, before anything is compiled. */
  created?(control: RegionControl): void;
}

/** For those who test that the cache leaves no trace, and that it has an end. */
export interface RegionControl {
  /** Drops every region, as a full cache does; only while the hart does not run. */
  clear(): void;
  /** Length of the table of functions. */
  readonly tableLength: number;
}

/** Watches nothing, and knows no time. */
export const UNOBSERVED: RegionObserver = { monotonicNs: () => 0n, changed: () => undefined };
