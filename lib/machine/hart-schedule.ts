/**
 * How the harts of a machine share host threads: by turns on one (`hart-turns.ts`), or in parallel
 * on one each (`parallel/parallel-harts.ts`).
 */

import type { Point, StealEvent } from '../event/event.js';
import type { MemoryLayout } from '../memory/layout.js';
import type { HartView } from '../riscv/hart-view.js';
import type { Hart, WebAssemblyMemory } from '../riscv/hart.js';
import type { CompilerOptions } from '../riscv/region-port.js';
import type { MmioPort } from '../riscv/slow-access.js';
import type { MachineState } from './machine-state.js';
import type { TakenInterrupt } from './machine.js';

/** A hart as the machine handles it while it stands, wherever it runs. */
export interface MachineHart extends HartView {
  /** RAM pages that it has written since the last call, ascending. */
  takeDirtyPages(): number[];
  markAllDirty(): void;
  /** Forgets what was noted of RAM pages, with everything derived from them. */
  clearPageFlags(): void;
  /** Every store to the page of `physical` returns from generated code. */
  watchPage(physical: number): void;
  /** Words or RAM were set from outside. */
  afterRestore(): void;
  /** Sets the state in which firmware is entered: M mode at `pc` (section 3.4). */
  reset(pc: bigint, registers: readonly (readonly [index: number, value: bigint])[]): void;
}

/** The machine around the harts. */
export interface ScheduleHost {
  readonly layout: MemoryLayout;
  readonly memory: WebAssemblyMemory;
  readonly hartCount: number;
  readonly compiler: CompilerOptions | null;
  readonly state: MachineState;
  readonly devices: MmioPort;
  /** Virtual time at which a device wants `pollDevices`, or null. */
  readonly deviceDeadline: () => bigint | null;
  readonly pollDevices: () => void;
  /** Devices have bounded work left, which goes on once a step. */
  readonly hasWork: () => boolean;
  readonly resumeWork: () => void;
  readonly mustReturn: () => boolean;
}

export type ScheduleExit = 'reached' | 'paused' | 'parked' | 'must-return';

export interface HartSchedule {
  readonly harts: readonly MachineHart[];
  /** The hart on whose behalf devices work, and at whose step events are applied. */
  readonly current: Hart;
  /** Null for harts that take turns. */
  readonly parallel: ParallelRun | null;

  /**
   * Runs until the hart of `until` has its turn at that step (`reached`), or until all harts have
   * counted `lastTotal` steps (`paused`, or `reached` without `until`), or for another reason.
   */
  run(until: Point | null, lastTotal: bigint): ScheduleExit;
  /** Something from outside is told to devices, while all harts stand. */
  tell(tell: () => void): void;
  rebase(rate: bigint): void;
  /** Ends an idle time: one hart goes on, all go on at `time`. */
  wake(hart: number, time: bigint): void;
  /** All words and RAM are as at power-on, or as they were restored. */
  restart(from: 'power-on' | 'snapshot'): void;
  /** From a device: a line (bit of mip) into a hart, and a hart's timer compare value in ticks. */
  setLine(hart: number, code: number, level: boolean): void;
  setTimeCompare(hart: number, ticks: bigint): void;
  /** Interrupts taken since the last call. */
  takeInterrupts(): readonly TakenInterrupt[];
}

/** Replaying harts that run in parallel: the log says where each stands. */
export interface ParallelRun {
  /** Runs every hart to exactly its step, as a recorded run has ended. */
  reach(steps: readonly bigint[]): ScheduleExit;
  /** Runs every hart to the steps of a steal, and does what it did. */
  reachSteal(event: StealEvent): ScheduleExit;
  /** What was stolen since the last call, in order. */
  takeSteals(): readonly StealEvent[];
}

export function stepsOf(harts: readonly HartView[]): bigint {
  return harts.reduce((sum, hart) => sum + hart.step(), 0n);
}

export function isIdle(harts: readonly HartView[]): boolean {
  return harts.every((hart) => hart.parked);
}

/** The earliest timer of any hart, in ticks, or null. */
export function earliestTimer(harts: readonly HartView[]): bigint | null {
  return harts.reduce<bigint | null>((first, hart) => {
    const own = hart.timers.deadline();
    return own !== null && (first === null || own < first) ? own : first;
  }, null);
}
