/**
 * The figures of a kill campaign: what was measured at each kill, as a table for people and JSON.
 */

import { KILL_KINDS, type KillKind, type KillRecord } from './campaign-kills.js';

/** Times in milliseconds; zeros where nothing was counted. */
export interface Distribution {
  readonly count: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

export interface Summary {
  readonly kills: number;
  readonly seconds: number;
  readonly transactions: number;
  /** Least rate of the loads before the kills, in transactions a second. */
  readonly leastRate: number;
  /** The same while logs were replayed; zero where none were. */
  readonly leastPacedRate: number;
  /** Of the replays after each kill. */
  readonly replay: Distribution;
  readonly failover: Readonly<Record<KillKind | 'all', Distribution>>;
}

export function distribution(values: readonly number[]): Distribution {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share: number): number =>
    sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? 0;
  return { count: sorted.length, p50: at(0.5), p99: at(0.99), max: sorted.at(-1) ?? 0 };
}

export function summarize(
  records: readonly KillRecord[],
  checkTimes: readonly number[],
  seconds: number,
): Summary {
  const of = (kind: KillKind): Distribution =>
    distribution(records.filter((one) => one.kind === kind).map(({ failoverMs }) => failoverMs));
  const [random, held, burst, lagging] = KILL_KINDS;
  return {
    kills: records.length,
    seconds,
    transactions: records.at(-1)?.answered ?? 0,
    leastRate: least(records.map(({ rate }) => rate)),
    leastPacedRate: least(records.flatMap(({ pacedRate }) => pacedRate ?? [])),
    replay: distribution(checkTimes),
    failover: {
      random: of(random),
      held: of(held),
      burst: of(burst),
      lagging: of(lagging),
      all: distribution(records.map(({ failoverMs }) => failoverMs)),
    },
  };
}

function least(values: readonly number[]): number {
  return values.length === 0 ? 0 : Math.min(...values);
}
