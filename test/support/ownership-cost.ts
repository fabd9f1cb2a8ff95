/**
 * What page ownership costs a hart that shares with nobody: one hart without it, beside the first
 * of two in parallel whose second rests, doing the same. Each pair of figures is the difference
 * between a long and a short run, so that starting a process and its threads does not count.
 */

import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { recordProgram, type HartWork } from './hart-runs.js';

const SHORT_ITERATIONS = 100_000_000;
const LONG_ITERATIONS = 900_000_000;
/** Two-sided, of the normal distribution. */
const SIGMAS_95 = 1.96;

export interface OwnershipCost {
  /** Processor time with ownership over that without: geometric mean, and 95 % interval. */
  readonly times: number;
  readonly interval: readonly [number, number];
  readonly pairs: number;
}

export function ownershipCost(
  plan: { readonly pairs: number; readonly scale: number; readonly folder: string },
  told: (pair: number, times: number) => void,
): OwnershipCost {
  const logs: number[] = [];
  for (let pair = 1; pair <= plan.pairs; pair++) {
    const order = pair % 2 === 0 ? (['owned', 'alone'] as const) : (['alone', 'owned'] as const);
    const seconds = { owned: 0, alone: 0 };
    for (const who of order) seconds[who] = secondsOf(who, plan);
    const times = seconds.owned / seconds.alone;
    logs.push(Math.log(times));
    told(pair, times);
  }
  const mean = logs.reduce((sum, value) => sum + value, 0) / logs.length;
  const variance = logs.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (logs.length - 1);
  const half = SIGMAS_95 * Math.sqrt(variance / logs.length);
  return {
    times: Math.exp(mean),
    interval: [Math.exp(mean - half), Math.exp(mean + half)],
    pairs: plan.pairs,
  };
}

function secondsOf(
  who: 'owned' | 'alone',
  { scale, folder }: { readonly scale: number; readonly folder: string },
): number {
  const flags = who === 'owned' ? ['--harts', '2', '--parallel'] : [];
  const [short = 0, long = 0] = [SHORT_ITERATIONS, LONG_ITERATIONS].map((iterations) => {
    const log = join(folder, 'ownership');
    const share = Math.floor((iterations * scale) / 100);
    const work: HartWork = { program: 'partition', workers: 1, iterations: share, folder };
    const { cpuSeconds } = recordProgram(work, log, flags);
    rmSync(log, { recursive: true, force: true });
    return cpuSeconds;
  });
  return long - short;
}
