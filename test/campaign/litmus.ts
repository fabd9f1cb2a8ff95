/**
 * `npm run campaign:litmus -- [--runs N | --minutes N] [--seed S] [--test NAME]`: each litmus test
 * many times, on real threads; every run is judged and replayed (test/support/litmus.ts says how).
 */

import { performance } from 'node:perf_hooks';
import { LockstepError } from '../../lib/base/error.js';
import type { Arguments, Command } from '../../tools/command.js';
import { runCampaign } from '../support/campaign-main.js';
import { LITMUS, type Litmus } from '../support/litmus.js';
import { runBatch, type BatchPlan } from '../support/litmus-batch.js';

const ROUNDS = 100;
/** Runs in one thread: each leaves some threads behind until that one ends. */
const BATCH_RUNS = 10;

const command: Command = {
  usage: [
    'campaign:litmus -- [--runs N | --minutes N] [--rounds N] [--seed S] [--chaos] [--test NAME]',
  ],
  description: 'Races harts in parallel, judges what they see of each other, and replays it.',
  options: {
    runs: { type: 'string', value: 'N', help: 'runs of each test, replayed each (1000)' },
    minutes: {
      type: 'string',
      value: 'N',
      help: 'as many runs as fit, the same time for each test',
    },
    rounds: { type: 'string', value: 'N', help: `rounds of a run (${ROUNDS})` },
    seed: { type: 'string', value: 'S', help: 'of delays (1)' },
    chaos: { type: 'boolean', help: 'holds threads up at random, one of them all the time' },
    test: { type: 'string', value: 'NAME', help: 'only the test whose name begins so' },
  },
  run: campaign,
};

async function campaign(args: Arguments): Promise<number> {
  const minutes = args.integer('minutes', 1, 100_000);
  const runs = args.integer('runs', 1, 10_000_000) ?? (minutes === undefined ? 1000 : Infinity);
  const rounds = args.integer('rounds', 1, 1_000_000) ?? ROUNDS;
  const seed = args.integer('seed', 0, 0x7fff_ffff) ?? 1;
  const chosen = LITMUS.filter(({ name }) => name.startsWith(args.text('test') ?? ''));
  if (chosen.length === 0) throw new LockstepError('USAGE', 'no litmus test of this name');
  let isKept = true;
  const forMs = minutes === undefined ? Infinity : (minutes * 60_000) / chosen.length;
  const plan = { runs, forMs, rounds, seed, isChaotic: args.flag('chaos') };
  for (const litmus of chosen) isKept = (await raceAll(litmus, plan)) && isKept;
  process.stdout.write(isKept ? 'Everything held.\n' : 'NOT KEPT\n');
  return isKept ? 0 : 1;
}

/** As many runs, or as long, whichever ends first. */
interface RacePlan extends Pick<BatchPlan, 'runs' | 'rounds' | 'seed' | 'isChaotic'> {
  readonly forMs: number;
}

async function raceAll(litmus: Litmus, plan: RacePlan): Promise<boolean> {
  const { name } = litmus;
  const outcomes = new Map<string, number>();
  let steals = 0;
  let faults = 0;
  const endMs = performance.now() + plan.forMs;
  let firstRun = 0;
  for (; firstRun < plan.runs && performance.now() < endMs; firstRun += BATCH_RUNS) {
    const runs = Math.min(BATCH_RUNS, plan.runs - firstRun);
    const result = await runBatch({ ...plan, name, firstRun, runs, seed: plan.seed + firstRun });
    steals += result.steals;
    for (const [outcome, count] of result.histogram) {
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + count);
    }
    faults += result.faults.length;
    for (const fault of result.faults) process.stdout.write(`${fault}\n`);
  }
  const raced = !litmus.isRacy || outcomes.size > 1;
  const seen = [...outcomes]
    .sort(([, a], [, b]) => b - a)
    .slice(0, 6)
    .map(([outcome, count]) => `${outcome} ${count}`);
  process.stdout.write(
    `${name.padEnd(20)} ${Math.min(firstRun, plan.runs)} runs of ${plan.rounds} rounds, ${faults} faults, ` +
      `${steals} steals; ${outcomes.size} outcomes: ${seen.join(', ')}` +
      `${raced ? '' : '; IT DID NOT RACE'}\n`,
  );
  return faults === 0 && raced;
}

await runCampaign(command);
