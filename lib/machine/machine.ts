/**
 * The contract of a deterministic machine, as sessions, replicas, tools and the simulator see it.
 *
 * The machine knows no clock, socket, promise or random source. It runs to a point, takes events
 * at the point it stands at, and hands out what it produced; the same calls in the same order
 * give the same state on every host. `riscv-machine.ts` is the real one.
 */

import type { InputEvent, InputStream, OutputStream, Point, StealEvent } from '../event/event.js';

/** Why `runUntil` came back. Only `reached` says that the point was reached. */
export type RunResult =
  /** The machine stands exactly at the point asked for. */
  | { readonly reason: 'reached' }
  /** As many steps as allowed were counted on the way to the point. */
  | { readonly reason: 'paused' }
  /** Every hart executed WFI and waits; `deadline` is the first timer in virtual ticks, if any. */
  | { readonly reason: 'parked'; readonly deadline: bigint | null }
  /** Enough output is waiting that it should be taken before the hart goes on. */
  | { readonly reason: 'output' }
  /** The guest switched the machine off or asked for a reset, or HTIF wrote an exit code. */
  | { readonly reason: 'stopped'; readonly stop: MachineStop };

export interface MachineStop {
  readonly cause: 'power-off' | 'reset' | 'exit';
  /** 0 is success; a guest's failure code otherwise. */
  readonly status: number;
}

/** Bytes that left the machine; `offset` is the stream position of the first byte. */
export interface OutputChunk {
  readonly stream: OutputStream;
  readonly offset: bigint;
  readonly bytes: Uint8Array;
}

export interface TakenInterrupt extends Point {
  readonly cause: number;
}

/**
 * `room`: the guest has a buffer for a frame. `full`: it has none just now. `off`: nobody listens,
 * because there is no card or no driver runs it.
 */
export type FrameRoom = 'room' | 'full' | 'off';

export interface Machine {
  readonly hartCount: number;
  /** SHA-256 (hex) over layout, machine configuration and images: equal on both replicas. */
  readonly digest: string;
  readonly ramPageCount: number;
  /** Pages of RAM, and behind them the blocks of the disks (`disk-pages.ts`). */
  readonly pageCount: number;

  /** Steps counted by `hart` so far. */
  step(hart: number): bigint;
  /** Instructions retired by `hart` so far (minstret's true value). */
  retired(hart: number): bigint;
  /** Virtual time of `hart` in timebase ticks (10 MHz). */
  time(hart: number): bigint;
  isParked(hart: number): boolean;
  /** The hart in turn and its step: where the next event is applied. */
  here(): Point;
  /** Steps of all harts together. */
  steps(): bigint;
  /** Every hart waits for an interrupt. */
  isIdle(): boolean;
  /** The first timer that would end an idle time, in virtual ticks, or null. */
  deadline(): bigint | null;
  stopped(): MachineStop | null;

  /**
   * Runs until `point.hart` has its turn at exactly `point.step`, or stops earlier for one of the
   * other reasons: after `mostSteps` of all harts, for one. A point in the past is an assertion.
   */
  runUntil(point: Point, mostSteps?: bigint): RunResult;
  /** Runs until all harts together have counted exactly so many steps more. */
  runFor(steps: bigint): RunResult;

  /** Harts that run in parallel; null for harts that take turns. */
  readonly parallel: ParallelMachine | null;

  /** Applies an event at `here()`; another point is an assertion. */
  apply(event: InputEvent): void;

  /** Output produced since the last call, in order within each stream. */
  takeOutput(): readonly OutputChunk[];
  /** Interrupts taken since the last call, in order. */
  takeInterrupts(): readonly TakenInterrupt[];

  /** Bytes that `stream` can take at this point without loss. */
  inputSpace(stream: InputStream): number;
  /** What becomes of a frame that comes at this point. */
  frameRoom(): FrameRoom;
  /** Highest input sequence seen from a console client, 0 if unknown; replicated state. */
  lastInputSequence(client: bigint): bigint;
  /** Random bytes the guest waits for now, 0 if none. */
  entropyWanted(): number;

  /** A copy of all architectural words outside RAM (registers, CSRs, time, devices). */
  words(): BigUint64Array;
  /** Name of a word for people, such as "hart0.x10" or "plic.pending[0]". */
  wordName(index: number): string;
  /** Name of a page for people: its address, or the block of a disk. */
  pageName(page: number): string;
  /** Pages written since the last call, ascending, each with a 64-bit hash of its bytes. */
  takeDirtyPages(): readonly (readonly [page: number, hash: bigint])[];
  /** True if there were more than one call gives. */
  hasMoreDirtyPages(): boolean;

  /** Everything outside RAM that a replica needs, versioned by the layout digest. */
  saveWords(): Uint8Array;
  /** One page (4096 bytes, a copy), or null if it is all zero, or a block as the base has it. */
  savePage(page: number): Uint8Array | null;
  /** Restores what the save calls gave; derived state is rebuilt. Bad input: BAD_SNAPSHOT. */
  restore(words: Uint8Array, pages: Iterable<readonly [page: number, bytes: Uint8Array]>): void;
}

/** Replaying a machine whose harts run in parallel: the log says where each of them stands. */
export interface ParallelMachine {
  /** Runs every hart to exactly its step, where a recorded run has ended. */
  reach(steps: readonly bigint[]): RunResult;
  /** Runs every hart to the steps of a steal, and does what it did. DIVERGED if they can't. */
  reachSteal(event: StealEvent): RunResult;
  /** Steals since the last call, in order. */
  takeSteals(): readonly StealEvent[];
}
