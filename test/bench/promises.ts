/**
 * The figures that docs/SPECIFICATION.md promises of the engine, held against what was measured.
 */

import { PROGRAMS } from './programs.js';
import type { ProgramFigure } from './program-bench.js';
import { summaryJson } from './program-report.js';

export interface Verdict {
  /** Id in docs/SPECIFICATION.md. */
  readonly id: string;
  readonly what: string;
  readonly value: number;
  readonly bound: 'at least' | 'at most';
  readonly limit: number;
  readonly isKept: boolean;
}

export function verdict(
  id: string,
  what: string,
  measured: { readonly value: number; readonly bound: Verdict['bound']; readonly limit: number },
): Verdict {
  const { value, bound, limit } = measured;
  return { id, what, ...measured, isKept: bound === 'at least' ? value >= limit : value <= limit };
}

const MEAN_SPEED = 2.5;
const LEAST_SPEED = 1;

/** Nothing unless every compute program was run against `-icount`. */
export function judgePrograms(figures: readonly ProgramFigure[]): Verdict[] {
  const expected = PROGRAMS.filter(({ group }) => group === 'compute').length;
  const summary = summaryJson(figures, ['lockstep', 'icount']).find(
    ({ group, programs }) => group === 'compute' && programs === expected,
  );
  const icount = summary?.faster.find(({ than }) => than === 'icount');
  if (icount === undefined || !Number.isFinite(icount.mean)) return [];
  return [
    verdict('bench-compute', 'times as fast as QEMU -icount, geometric mean of compute programs', {
      value: icount.mean,
      bound: 'at least',
      limit: MEAN_SPEED,
    }),
    verdict('bench-compute', 'times as fast as QEMU -icount, the slowest of them', {
      value: icount.least,
      bound: 'at least',
      limit: LEAST_SPEED,
    }),
  ];
}

export function promiseLine({ id, what, value, bound, limit, isKept }: Verdict): string {
  const answer = isKept ? 'kept' : 'FALLS SHORT';
  return `${id}: ${what}: ${value.toFixed(2)} (${bound} ${limit}: ${answer})`;
}
