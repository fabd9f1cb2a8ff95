/**
 * The figures that a pair is measured by, each on processes of its own: log of an idle guest,
 * delay of output, failover time, truth of the lag, processor time.
 *
 * Each measurement gives named values with their limits where one is promised. They are what this
 * machine gives while it does whatever else it does; `load` says how much that was.
 */

import { loadavg } from 'node:os';
import { performance } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { until, type NodeProcess } from '../../tools/demo/node-process.js';
import { CampaignClient } from './campaign-client.js';
import { ledgerDialect } from './campaign-dialects.js';
import { Fleet, LEDGER_FLAGS, statusOf, untilProtected } from './campaign-fleet.js';
import { ledgerGuest } from './campaign-guests.js';
import { KillCampaign } from './campaign-kills.js';
import { distribution } from './campaign-summary.js';
import { histogramBetween, readMetrics, series } from './node-figures.js';

export interface Figure {
  readonly name: string;
  readonly unit: string;
  readonly value: number;
  /** Promised at most; null for what is only told. */
  readonly limit: number | null;
}

export interface FigureOptions {
  readonly kills: number;
  /** Of the moments of the kills. */
  readonly seed: number;
  /** Transactions whose output is timed. */
  readonly samples: number;
  /** How long an idle guest's log is counted. */
  readonly idleMs: number;
}

export const DEFAULT_FIGURE_OPTIONS: FigureOptions = {
  kills: 20,
  seed: 1,
  samples: 2_000,
  idleMs: 10_000,
};

export const FIGURES: Readonly<
  Record<string, (options: FigureOptions) => Promise<readonly Figure[]>>
> = {
  'idle-log': ({ idleMs }) => withPair((pair) => idleLog(pair, idleMs)),
  'output-delay-idle': ({ samples }) => withPair((pair) => outputDelay(pair, false, samples)),
  'output-delay-busy': ({ samples }) => withPair((pair) => outputDelay(pair, true, samples)),
  'failover-time': failoverTime,
  'lag-truth': () => withPair(lagTruth, '--suspect-ms', '30000'),
};

export function currentLoad(): number {
  return loadavg()[0] ?? 0;
}

interface Pair {
  readonly primary: NodeProcess;
  readonly backup: NodeProcess;
  /** One transaction on its way at a time; it rests until `run`. */
  readonly client: CampaignClient;
}

const METRICS = ['--metrics', '127.0.0.1:0'] as const;
const SETTLE_MS = 2_000;
const WARM_UP = 300;
const FROZEN_MS = 700;
const SENT = 'lockstep_log_bytes_total{direction="sent"}';
const CPU = 'process_cpu_seconds_total';

async function withPair(
  measure: (pair: Pair) => Promise<readonly Figure[]>,
  ...flags: string[]
): Promise<readonly Figure[]> {
  const fleet = new Fleet(LEDGER_FLAGS);
  let client: CampaignClient | null = null;
  try {
    const primary = fleet.primary(...METRICS, ...flags);
    const backup = await fleet.backup([primary], ...METRICS, ...flags);
    await untilProtected(primary);
    const addresses = [await primary.address(), await backup.address()];
    const own = new CampaignClient(addresses, ledgerDialect(), 1);
    client = own;
    await until('the greeting', () => own.reply(/^R /));
    return await measure({ primary, backup, client: own });
  } finally {
    client?.close();
    await fleet.close();
  }
}

/** The guest's timer ticks a hundred times a second; nothing else happens. */
async function idleLog({ primary, backup }: Pair, idleMs: number): Promise<readonly Figure[]> {
  await delay(SETTLE_MS);
  const before = await readMetrics(primary);
  const backupBefore = await readMetrics(backup);
  const startMs = performance.now();
  await delay(idleMs);
  const seconds = (performance.now() - startMs) / 1000;
  const after = await readMetrics(primary);
  const backupAfter = await readMetrics(backup);
  const bytes = series(after, SENT) - series(before, SENT);
  const share = (a: ReadonlyMap<string, number>, b: ReadonlyMap<string, number>): number =>
    (series(b, CPU) - series(a, CPU)) / seconds;
  return [
    {
      name: 'log of an idle guest',
      unit: 'Mbit/s',
      value: (bytes * 8) / 1e6 / seconds,
      limit: 0.1,
    },
    told('processor time of the idle primary', 's/s', share(before, after)),
    told('processor time of the idle backup', 's/s', share(backupBefore, backupAfter)),
  ];
}

async function outputDelay(
  { primary, backup, client }: Pair,
  isSpinning: boolean,
  samples: number,
): Promise<readonly Figure[]> {
  if (isSpinning) {
    client.say('B 1000');
    await until('spinning', () => client.reply(/^B /));
  }
  client.run();
  await until('a warm pair', () => isOver(client, WARM_UP));
  const before = await readMetrics(primary);
  const backupBefore = await readMetrics(backup);
  const first = client.latenciesMs.length;
  await until('samples', () => isOver(client, first + samples), 120_000);
  if (client.fault !== null) throw new Error(client.fault);
  const after = await readMetrics(primary);
  const backupAfter = await readMetrics(backup);
  const guest = isSpinning ? 'guest spinning' : 'guest idle';
  const quantile = histogramBetween(before, after, 'lockstep_output_commit_delay_seconds', 'uart');
  const seen = distribution(client.latenciesMs.slice(first));
  const thousands = (client.latenciesMs.length - first) / 1000;
  const cost = (a: ReadonlyMap<string, number>, b: ReadonlyMap<string, number>): number =>
    (series(b, CPU) - series(a, CPU)) / thousands;
  const name = `mark to release, ${guest}`;
  return [
    { name: `${name}, p50`, unit: 'ms', value: quantile(0.5) * 1000, limit: 1 },
    told(`${name}, p99`, 'ms', quantile(0.99) * 1000),
    told(`transaction at the client, ${guest}, p50`, 'ms', seen.p50),
    told(`transaction at the client, ${guest}, p99`, 'ms', seen.p99),
    told(`processor time of 1,000 transactions, primary, ${guest}`, 's', cost(before, after)),
    told(
      `processor time of 1,000 transactions, backup, ${guest}`,
      's',
      cost(backupBefore, backupAfter),
    ),
  ];
}

function isOver(client: CampaignClient, count: number): boolean {
  return client.fault !== null || client.latenciesMs.length >= count;
}

async function failoverTime({ kills, seed }: FigureOptions): Promise<readonly Figure[]> {
  const campaign = new KillCampaign({
    ...ledgerGuest(),
    // How fast the guest runs between the kills is another figure.
    minRate: 0,
    seed,
    loadMs: 500,
    logChecks: 'never',
  });
  try {
    await campaign.start();
    await campaign.run(kills);
  } finally {
    await campaign.close();
  }
  const times = distribution(campaign.records.map(({ failoverMs }) => failoverMs));
  const phase = (of: (typeof campaign.records)[number]['takeover']): number =>
    of.arbitrateMs + of.drainMs + of.goOnMs;
  const inside = distribution(campaign.records.map(({ takeover }) => phase(takeover)));
  const arbiter = distribution(campaign.records.map(({ takeover }) => takeover.arbitrateMs));
  const name = `SIGKILL to first output, ${times.count} kills`;
  return [
    told(`${name}, p50`, 'ms', times.p50),
    { name: `${name}, p99`, unit: 'ms', value: times.p99, limit: 500 },
    told('of it on the new primary, p50', 'ms', inside.p50),
    told('of that the arbiter, p50', 'ms', arbiter.p50),
  ];
}

/**
 * An idle replica is where its status says, but for some ticks of the guest's timer. Frozen there,
 * it must be as far behind as the primary says while the guest works.
 */
async function lagTruth({ primary, backup, client }: Pair): Promise<readonly Figure[]> {
  client.run();
  await until('a warm pair', () => isOver(client, WARM_UP));
  client.pause();
  await until('rest', () => client.isQuiet);
  await delay(200);
  const replica = Number((await statusOf(backup)).steps[0] ?? 0n);
  backup.signal('SIGSTOP');
  client.say('B 1000');
  await delay(FROZEN_MS);
  const page = await readMetrics(primary);
  backup.signal('SIGCONT');
  const own = series(page, 'lockstep_steps_total{hart="0"}');
  const lag = series(page, 'lockstep_replay_lag_instructions');
  const records = series(page, 'lockstep_replay_lag_records');
  const recorded = series(page, 'lockstep_log_recorded_seq');
  const replayed = series(page, 'lockstep_log_replayed_seq');
  const difference = own - replica;
  return [
    told('steps behind by the metric', 'steps', lag),
    told('steps behind by the counters of both', 'steps', difference),
    {
      name: 'difference of the two',
      unit: '%',
      value: (Math.abs(lag - difference) / Math.max(1, difference)) * 100,
      limit: 1,
    },
    {
      name: 'entries behind by the metric, against the counters',
      unit: 'entries',
      value: Math.abs(records - (recorded - replayed)),
      limit: 0,
    },
    told('seconds behind by the metric', 's', series(page, 'lockstep_replay_lag_seconds')),
  ];
}

function told(name: string, unit: string, value: number): Figure {
  return { name, unit, value, limit: null };
}
