/**
 * `npm run campaign:litmus -- [--runs N] [--seed S] [--test NAME]`: each litmus test many times, on
 * real threads; every run is judged and replayed (test/support/litmus.ts says how).
 */

import { LockstepError } from '../../lib/base/error.js';
import type { Arguments, Command } from '../../tools/command.js';
import { runCampaign } from '../support/campaign-main.js';
import { LITMUS, runLitmus, type Litmus } from '../support/litmus.js';
import { COMPILER, INTERPRETER } from '../support/program.js';
import { Random } from '../support/random.js';

const ROUNDS = 100;

const command: Command = {
  usage: ['campaign:litmus -- [--runs N] [--rounds N] [--seed S] [--test NAME]'],
  description: 'Races harts in parallel, judges what they see of each other, and replays it.',
  options: {
    runs: { type: 'string', value: 'N', help: 'runs of each test, replayed each (1000)' },
    rounds: { type: 'string', value: 'N', help: `rounds of a run (${ROUNDS})` },
    seed: { type: 'string', value: 'S', help: 'of delays (1)' },
    test: { type: 'string', value: 'NAME', help: 'only the test whose name begins so' },
  },
  run: campaign,
};

function campaign(args: Arguments): Promise<number> {
  const runs = args.integer('runs', 1, 10_000_000) ?? 1000;
  const rounds = args.integer('rounds', 1, 1_000_000) ?? ROUNDS;
  const random = new Random(args.integer('seed', 0, 0x7fff_ffff) ?? 1);
  const chosen = LITMUS.filter(({ name }) => name.startsWith(args.text('test') ?? ''));
  if (chosen.length === 0) throw new LockstepError('USAGE', 'no litmus test of this name');
  let isKept = true;
  for (const litmus of chosen) isKept = raceAll(litmus, { runs, rounds, random }) && isKept;
  process.stdout.write(isKept ? 'Everything held.\n' : 'NOT KEPT\n');
  return Promise.resolve(isKept ? 0 : 1);
}

function raceAll(
  litmus: Litmus,
  plan: { readonly runs: number; readonly rounds: number; readonly random: Random },
): boolean {
  const outcomes = new Map<string, number>();
  let steals = 0;
  let faults = 0;
  for (let run = 0; run < plan.runs; run++) {
    const engine = run % 4 === 3 ? INTERPRETER : COMPILER;
    const result = runLitmus(litmus, { ...plan, samePage: run % 2 === 0 }, engine);
    steals += result.steals;
    for (const [outcome, count] of result.histogram) {
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + count);
    }
    if (result.fault === null) continue;
    faults += 1;
    process.stdout.write(`${litmus.name}, run ${run}: ${result.fault}\n`);
  }
  const raced = !litmus.isRacy || outcomes.size > 1;
  const seen = [...outcomes]
    .sort(([, a], [, b]) => b - a)
    .slice(0, 6)
    .map(([outcome, count]) => `${outcome} ${count}`);
  process.stdout.write(
    `${litmus.name.padEnd(20)} ${plan.runs} runs of ${plan.rounds} rounds, ${faults} faults, ` +
      `${steals} steals; ${outcomes.size} outcomes: ${seen.join(', ')}` +
      `${raced ? '' : '; IT DID NOT RACE'}\n`,
  );
  return faults === 0 && raced;
}

await runCampaign(command);
