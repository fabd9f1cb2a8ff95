/**
 * The figures that docs/SPECIFICATION.md promises of the engine, held against what was measured.
 * What was not measured whole is not judged.
 */

import type { Cost } from './costs.js';
import { speedAgainst, type Figure } from './figure.js';
import { PROGRAMS } from './programs.js';
import { summarise } from './report.js';

export interface Verdict {
  /** Id in docs/SPECIFICATION.md. */
  readonly id: string;
  readonly what: string;
  readonly value: number;
  readonly bound: 'at least' | 'at most';
  readonly limit: number;
  readonly isKept: boolean;
}

const MEAN_SPEED = 2.5;
const LEAST_SPEED = 1;
/** Wall time of the boot script against QEMU's recording. */
const BOOT_TIMES = 1.5;
const COUNTING_PERCENT = 10;

export function judge(figures: readonly Figure[], costs: readonly Cost[]): Verdict[] {
  return [...judgeCompute(figures), ...judgeBoot(figures), ...judgeCounting(costs)];
}

function judgeCompute(figures: readonly Figure[]): Verdict[] {
  const expected = PROGRAMS.filter(({ group }) => group === 'compute').length;
  const summary = summarise('compute', figures, ['lockstep', 'icount']);
  const icount = summary?.faster.find(({ than }) => than === 'icount');
  if (summary?.members !== expected || icount === undefined) return [];
  const id = 'bench-compute';
  return [
    atLeast(id, 'times as fast as QEMU -icount, mean of compute programs', [
      icount.mean,
      MEAN_SPEED,
    ]),
    atLeast(id, 'times as fast as QEMU -icount, the slowest of them', [icount.least, LEAST_SPEED]),
  ];
}

function judgeBoot(figures: readonly Figure[]): Verdict[] {
  const boot = figures.find(({ group }) => group === 'boot');
  const speed = boot === undefined ? null : speedAgainst(boot, 'record');
  if (speed === null) return [];
  return [atMost('bench-boot', 'times as long as QEMU rr=record', [1 / speed, BOOT_TIMES])];
}

function judgeCounting(costs: readonly Cost[]): Verdict[] {
  const counting = costs.find(({ name }) => name === 'counting');
  if (counting === undefined) return [];
  const percent = (counting.ratio - 1) * 100;
  return [atMost('bench-counting', '% more time with the count', [percent, COUNTING_PERCENT])];
}

function atLeast(id: string, what: string, [value, limit]: readonly [number, number]): Verdict {
  return { id, what, value, bound: 'at least', limit, isKept: value >= limit };
}

function atMost(id: string, what: string, [value, limit]: readonly [number, number]): Verdict {
  return { id, what, value, bound: 'at most', limit, isKept: value <= limit };
}

export function promiseLine({ id, what, value, bound, limit, isKept }: Verdict): string {
  const answer = isKept ? 'kept' : 'FALLS SHORT';
  return `${id}: ${value.toFixed(2)} ${what} (${bound} ${limit}: ${answer})`;
}
