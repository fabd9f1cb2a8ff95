/**
 * `npm run campaign:harts -- [--runs N] [--json]`: what harts in parallel are worth, and what page
 * ownership costs. Programs whose work is shared out run on one hart, on two by turns and on two in
 * parallel, recorded to disk, and on QEMU with two vCPUs, plain and with `-icount`, in turn in the
 * same run; medians and ratios of the wall time of whole processes. Then the cost of ownership for
 * a hart that shares with nobody (test/support/ownership-cost.ts).
 */

import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { LockstepError } from '../../lib/base/error.js';
import type { Arguments, Command } from '../../tools/command.js';
import { toJsonLine } from '../../tools/output.js';
import { runCampaign } from '../support/campaign-main.js';
import { HART_PROGRAMS, type HartProgram } from '../support/hart-programs.js';
import { recordProgram, runOnQemu } from '../support/hart-runs.js';
import { LOCKSTEP } from '../support/lockstep-process.js';
import { ownershipCost, type OwnershipCost } from '../support/ownership-cost.js';
import { findQemu } from '../support/qemu.js';
import { makeTemporaryFolder, removeTemporaryFolder } from '../support/temporary-folder.js';

const VARIANTS = {
  one: { harts: 1, flags: [] },
  turns: { harts: 2, flags: ['--harts', '2'] },
  parallel: { harts: 2, flags: ['--harts', '2', '--parallel'] },
} as const;
type Variant = keyof typeof VARIANTS;
const NAMES = Object.keys(VARIANTS) as Variant[];
/** QEMU with two vCPUs: not to be replayed, and deterministic. */
const PEERS = { plain: [], icount: ['-icount', 'shift=0,sleep=off'] } as const;
type Peer = keyof typeof PEERS;
const PEER_NAMES = Object.keys(PEERS) as Peer[];
/** Longer than any of ours takes. */
const PEER_LIMIT_SECONDS = 120;

const ITERATIONS: Readonly<Record<HartProgram, number>> = {
  partition: 2_400_000_000,
  shared: 1_600_000_000,
};

/** The promises: one hart's time over two in parallel, and turns' over in parallel. */
const PARTITION_MIN = 1.6;
const SHARED_MIN = 0.9;
const STEAL_BYTES_MAX = 12;
const OWNERSHIP_MAX = 1.02;

const command: Command = {
  usage: ['campaign:harts -- [--runs N] [--json]'],
  description: 'Compares one hart, two by turns and two in parallel, recorded to disk, and QEMU.',
  options: {
    runs: { type: 'string', value: 'N', help: 'runs of each, of which medians are told (5)' },
    pairs: { type: 'string', value: 'N', help: 'pairs for the cost of ownership (10)' },
    scale: { type: 'string', value: 'N', help: 'share of the work, in percent (100)' },
    json: { type: 'boolean', help: 'one JSON object' },
  },
  run: campaign,
};

interface Figures {
  readonly program: HartProgram;
  /** Median seconds of each variant. */
  readonly seconds: Readonly<Record<Variant, number>>;
  /** Median seconds of QEMU; null where it did not end in time, or is not installed. */
  readonly peers: Readonly<Record<Peer, number | null>>;
  readonly oneOverParallel: number;
  readonly turnsOverParallel: number;
  readonly steals: number;
  /** Null if there were none. */
  readonly bytesPerSteal: number | null;
}

async function campaign(args: Arguments): Promise<number> {
  const qemu = await findQemu();
  const pairs = args.integer('pairs', 2, 1000) ?? 10;
  const runs = args.integer('runs', 1, 1000) ?? 5;
  const scale = args.integer('scale', 1, 1000) ?? 100;
  const folder = makeTemporaryFolder('harts');
  try {
    const figures = HART_PROGRAMS.map((program) => measure(program, { runs, scale, folder, qemu }));
    const cost = ownershipCost({ pairs, scale, folder }, (pair, times) => {
      process.stderr.write(`ownership ${pair}/${pairs}  ${times.toFixed(3)} times\n`);
    });
    const isKept = figures.every(holds) && cost.times <= OWNERSHIP_MAX;
    const lines = [...figures.map(describe), describeCost(cost), verdict(isKept)];
    if (args.flag('json')) process.stdout.write(`${toJsonLine({ isKept, figures, cost })}\n`);
    else process.stdout.write(`${lines.join('\n')}\n`);
    return isKept ? 0 : 1;
  } finally {
    removeTemporaryFolder(folder);
  }
}

interface Plan {
  readonly runs: number;
  readonly scale: number;
  readonly folder: string;
  readonly qemu: string | null;
}

function measure(program: HartProgram, plan: Plan): Figures {
  const { folder, qemu } = plan;
  const times: Record<Variant, number[]> = { one: [], turns: [], parallel: [] };
  const peers: Record<Peer, (number | null)[]> = { plain: [], icount: [] };
  const iterations = Math.floor((ITERATIONS[program] * plan.scale) / 100);
  let stat: LogStat = { kinds: {} };
  for (let run = 0; run < plan.runs; run++) {
    for (const variant of NAMES) {
      const log = join(folder, `${program}-${variant}-${run}`);
      const { harts: workers, flags } = VARIANTS[variant];
      const work = { program, workers, iterations, folder };
      times[variant].push(recordProgram(work, log, flags).wallSeconds);
      if (variant === 'parallel') stat = statOf(log);
    }
    for (const peer of PEER_NAMES) {
      // What has not ended once in all this time is not asked again.
      if (qemu === null || peers[peer].includes(null)) continue;
      const how = { flags: PEERS[peer], limitSeconds: PEER_LIMIT_SECONDS };
      const work = { program, workers: 2, iterations, folder };
      peers[peer].push(runOnQemu(qemu, work, how)?.wallSeconds ?? null);
    }
  }
  const seconds = {
    one: median(times.one),
    turns: median(times.turns),
    parallel: median(times.parallel),
  };
  const steals = stat.kinds['steal'] ?? { count: 0, bytes: 0 };
  return {
    program,
    seconds,
    peers: { plain: medianOf(peers.plain), icount: medianOf(peers.icount) },
    oneOverParallel: seconds.one / seconds.parallel,
    turnsOverParallel: seconds.turns / seconds.parallel,
    steals: steals.count,
    bytesPerSteal: steals.count === 0 ? null : steals.bytes / steals.count,
  };
}

interface LogStat {
  readonly kinds: Readonly<Record<string, { readonly count: number; readonly bytes: number }>>;
}

function statOf(log: string): LogStat {
  return JSON.parse(lockstep(['log', 'stat', log, '--json'])) as LogStat;
}

function lockstep(words: readonly string[]): string {
  const result = spawnSync(process.execPath, [LOCKSTEP, ...words], { encoding: 'utf8' });
  if (result.status === 0) return result.stdout;
  throw new LockstepError(
    'IO',
    `lockstep ${words[0]} ended with ${result.status}: ${result.stderr}`,
  );
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? NaN;
}

function medianOf(values: readonly (number | null)[]): number | null {
  const ended = values.filter((value) => value !== null);
  return ended.length === 0 || ended.length < values.length ? null : median(ended);
}

function holds({ program, oneOverParallel, turnsOverParallel, bytesPerSteal }: Figures): boolean {
  if (bytesPerSteal !== null && bytesPerSteal > STEAL_BYTES_MAX) return false;
  if (program === 'partition') return oneOverParallel >= PARTITION_MIN;
  return turnsOverParallel >= SHARED_MIN;
}

function describe(figures: Figures): string {
  const { program, seconds, peers, oneOverParallel, turnsOverParallel, steals, bytesPerSteal } =
    figures;
  const times = NAMES.map((name) => `${name} ${seconds[name].toFixed(2)} s`).join(', ');
  const bytes = bytesPerSteal === null ? '-' : bytesPerSteal.toFixed(1);
  return (
    `${program.padEnd(10)} ${times}; in parallel ${oneOverParallel.toFixed(2)} times as fast as ` +
    `one hart, ${turnsOverParallel.toFixed(2)} times as by turns; ${steals} steals of ${bytes} ` +
    `bytes; QEMU -smp 2 ${peerTime(peers.plain)}, with -icount ${peerTime(peers.icount)}`
  );
}

function peerTime(seconds: number | null): string {
  return seconds === null ? `not in ${PEER_LIMIT_SECONDS} s` : `${seconds.toFixed(2)} s`;
}

function describeCost({ times, interval, pairs }: OwnershipCost): string {
  const [low, high] = interval.map((value) => value.toFixed(3));
  return `ownership  ${times.toFixed(3)} times the processor time of one hart (95 %: ${low} to ${high}; ${pairs} pairs)`;
}

function verdict(isKept: boolean): string {
  return isKept
    ? 'Kept.'
    : `NOT KEPT: at least ${PARTITION_MIN} for partition, ${SHARED_MIN} of turns for shared, at ` +
        `most ${STEAL_BYTES_MAX} bytes a steal, and ownership at most ${OWNERSHIP_MAX} times`;
}

await runCampaign(command);
