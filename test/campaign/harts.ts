/**
 * `npm run campaign:harts -- [--runs N] [--json]`: what harts in parallel are worth, and what page
 * ownership costs. Programs whose work is shared out run on one hart, on two by turns and on two in
 * parallel, recorded to disk, in turn in the same run; medians and ratios of their wall time.
 */

import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { LockstepError } from '../../lib/base/error.js';
import type { Arguments, Command } from '../../tools/command.js';
import { toJsonLine } from '../../tools/output.js';
import { runCampaign } from '../support/campaign-main.js';
import { HART_PROGRAMS, hartProgram, type HartProgram } from '../support/hart-programs.js';
import { LOCKSTEP } from '../support/lockstep-process.js';
import { makeTemporaryFolder, removeTemporaryFolder } from '../support/temporary-folder.js';

const VARIANTS = {
  one: { harts: 1, flags: [] },
  turns: { harts: 2, flags: ['--harts', '2'] },
  parallel: { harts: 2, flags: ['--harts', '2', '--parallel'] },
} as const;
type Variant = keyof typeof VARIANTS;
const NAMES = Object.keys(VARIANTS) as Variant[];

const ITERATIONS: Readonly<Record<HartProgram, number>> = {
  partition: 2_400_000_000,
  shared: 1_600_000_000,
};

/** The promises: one hart's time over two in parallel, and turns' over in parallel. */
const PARTITION_MIN = 1.6;
const SHARED_MIN = 0.9;
const STEAL_BYTES_MAX = 12;

const command: Command = {
  usage: ['campaign:harts -- [--runs N] [--json]'],
  description: 'Compares one hart, two by turns and two in parallel, recorded to disk.',
  options: {
    runs: { type: 'string', value: 'N', help: 'runs of each, of which medians are told (5)' },
    scale: { type: 'string', value: 'N', help: 'share of the work, in percent (100)' },
    json: { type: 'boolean', help: 'one JSON object' },
  },
  run: campaign,
};

interface Figures {
  readonly program: HartProgram;
  /** Median seconds of each variant. */
  readonly seconds: Readonly<Record<Variant, number>>;
  readonly oneOverParallel: number;
  readonly turnsOverParallel: number;
  readonly steals: number;
  /** Null if there were none. */
  readonly bytesPerSteal: number | null;
}

function campaign(args: Arguments): Promise<number> {
  const runs = args.integer('runs', 1, 1000) ?? 5;
  const scale = args.integer('scale', 1, 1000) ?? 100;
  const folder = makeTemporaryFolder('harts');
  try {
    const figures = HART_PROGRAMS.map((program) => measure(program, { runs, scale, folder }));
    const isKept = figures.every(holds);
    if (args.flag('json')) process.stdout.write(`${toJsonLine({ isKept, figures })}\n`);
    else process.stdout.write(`${figures.map(describe).join('\n')}\n${verdict(isKept)}\n`);
    return Promise.resolve(isKept ? 0 : 1);
  } finally {
    removeTemporaryFolder(folder);
  }
}

function measure(
  program: HartProgram,
  plan: { readonly runs: number; readonly scale: number; readonly folder: string },
): Figures {
  const times: Record<Variant, number[]> = { one: [], turns: [], parallel: [] };
  const iterations = Math.floor((ITERATIONS[program] * plan.scale) / 100);
  let stat: LogStat = { kinds: {} };
  for (let run = 0; run < plan.runs; run++) {
    for (const variant of NAMES) {
      const log = join(plan.folder, `${program}-${variant}-${run}`);
      times[variant].push(record(program, variant, { iterations, log, folder: plan.folder }));
      if (variant === 'parallel') stat = statOf(log);
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
    oneOverParallel: seconds.one / seconds.parallel,
    turnsOverParallel: seconds.turns / seconds.parallel,
    steals: steals.count,
    bytesPerSteal: steals.count === 0 ? null : steals.bytes / steals.count,
  };
}

function record(
  program: HartProgram,
  variant: Variant,
  how: { readonly iterations: number; readonly log: string; readonly folder: string },
): number {
  const { harts, flags } = VARIANTS[variant];
  const bios = join(how.folder, 'program.bin');
  const stats = join(how.folder, 'stats.json');
  writeFileSync(bios, hartProgram(program, harts, how.iterations));
  const words = ['record', '--log', how.log, '--bios', bios, '--memory', '16M', ...flags];
  lockstep([...words, '--stats', stats]);
  return (JSON.parse(readFileSync(stats, 'utf8')) as { wallSeconds: number }).wallSeconds;
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

function holds({ program, oneOverParallel, turnsOverParallel, bytesPerSteal }: Figures): boolean {
  if (bytesPerSteal !== null && bytesPerSteal > STEAL_BYTES_MAX) return false;
  if (program === 'partition') return oneOverParallel >= PARTITION_MIN;
  return turnsOverParallel >= SHARED_MIN;
}

function describe(figures: Figures): string {
  const { program, seconds, oneOverParallel, turnsOverParallel, steals, bytesPerSteal } = figures;
  const times = NAMES.map((name) => `${name} ${seconds[name].toFixed(2)} s`).join(', ');
  const bytes = bytesPerSteal === null ? '-' : bytesPerSteal.toFixed(1);
  return (
    `${program.padEnd(10)} ${times}; in parallel ${oneOverParallel.toFixed(2)} times as fast as ` +
    `one hart, ${turnsOverParallel.toFixed(2)} times as by turns; ${steals} steals of ${bytes} bytes`
  );
}

function verdict(isKept: boolean): string {
  return isKept
    ? 'Kept.'
    : `NOT KEPT: at least ${PARTITION_MIN} for partition, ${SHARED_MIN} of turns for shared, and ` +
        `at most ${STEAL_BYTES_MAX} bytes a steal`;
}

await runCampaign(command);
