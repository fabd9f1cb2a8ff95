/**
 * One row of the results: the times of one piece of work on each emulator.
 */

import type { Emulator } from './emulators.js';
import type { MeasuredRun } from './measured-process.js';
import { median } from './statistics.js';

export const GROUPS = ['compute', 'kernel', 'boot', 'shell', 'binaries'] as const;
export type Group = (typeof GROUPS)[number];

export interface EmulatorTimes {
  readonly emulator: Emulator;
  /** Of each run, in order. */
  readonly seconds: readonly number[];
  readonly medianSeconds: number;
  readonly peakBytes: number;
}

export interface Figure {
  readonly name: string;
  readonly group: Group;
  readonly what: string;
  readonly emulators: readonly EmulatorTimes[];
  /** Instructions that Lockstep retired; null where nobody counts them. */
  readonly retired: bigint | null;
}

/** Figures, and what is wrong with the results behind them. */
export interface Outcome {
  readonly figures: readonly Figure[];
  readonly complaints: readonly string[];
}

/** Of the runs that ended well; none if there is none. */
export function timesOf<Run extends MeasuredRun>(
  runs: ReadonlyMap<Emulator, readonly Run[]>,
  secondsOf: (run: Run) => number = (run) => run.seconds,
): EmulatorTimes[] {
  return [...runs].flatMap(([emulator, all]) => {
    const good = all.filter(({ status }) => status === 0);
    if (good.length === 0) return [];
    const seconds = good.map(secondsOf);
    const peakBytes = Math.max(...good.map((run) => run.peakBytes));
    return [{ emulator, seconds, medianSeconds: median(seconds), peakBytes }];
  });
}

/** Null if no run ended well there. */
export function timesOn(figure: Figure, emulator: Emulator): EmulatorTimes | null {
  return figure.emulators.find((times) => times.emulator === emulator) ?? null;
}

/** How many times as fast as `emulator` Lockstep is; null if one of them has no time. */
export function speedAgainst(figure: Figure, emulator: Emulator): number | null {
  const ours = timesOn(figure, 'lockstep');
  const theirs = timesOn(figure, emulator);
  return ours === null || theirs === null ? null : theirs.medianSeconds / ours.medianSeconds;
}

/** What was said last, for a complaint. */
export function lastWords(run: MeasuredRun): string {
  const said = `${run.stdout}${run.stderr}`.trim().slice(-200);
  return `status ${run.status}: ${said}`;
}
