/**
 * `lockstep simulate`: both roles, network, disk, clocks and arbiter from one seed, in one thread.
 *
 * Runs the very cores of production. A seed always gives the same history; one that breaks a
 * promise is printed with the command that repeats it. `--mutant` plants a known bug, to show
 * that the checkers would see it.
 */

import { LockstepError } from '../../lib/base/error.js';
import { MUTANTS } from '../../lib/simulation/mutants.js';
import { runSeed, TRUE_RULES } from '../../lib/simulation/run.js';
import type { Result } from '../../lib/simulation/world.js';
import type { Arguments, Command } from '../command.js';
import { toJsonLine } from '../output.js';

const DEFAULT_SEEDS = '1..1000';
/** Failing seeds told one by one; the rest is only counted. */
const MAX_TOLD = 20;
const EXIT_VIOLATION = 1;

export const simulate: Command = {
  usage: [
    'simulate [--seeds A..B] [--mutant NAME] [--json]',
    'simulate --seed N [--trace] [--mutant NAME] [--json]',
    'simulate --list-mutants',
  ],
  description:
    'Runs the protocol of the pair in a simulated world of crashes, pauses, cut links and slow ' +
    'disks, and checks that no output is lost, doubled or said by two. Each seed is one world; ' +
    'its history is the same on every host. The exit status is 1 if a promise was broken.',
  options: {
    seeds: { type: 'string', value: 'A..B', help: `which seeds to run (${DEFAULT_SEEDS})` },
    seed: { type: 'string', value: 'N', help: 'run one seed' },
    trace: { type: 'boolean', help: 'print what happens, a line each' },
    mutant: { type: 'string', value: 'NAME', help: 'plant a bug; see --list-mutants' },
    'list-mutants': { type: 'boolean', help: 'print the bugs that can be planted' },
    json: { type: 'boolean', help: 'print one JSON object' },
  },
  run: (args) => Promise.resolve(run(args)),
};

function run(args: Arguments): number {
  if (args.flag('list-mutants')) {
    for (const { name, trap, mistake } of MUTANTS) {
      process.stdout.write(`${name.padEnd(28)}trap ${String(trap).padEnd(4)}${mistake}\n`);
    }
    return 0;
  }
  const { first, last } = seedRange(args);
  const tally = new Tally(args.text('mutant'), args.flag('json'));
  for (let seed = first; seed <= last; seed += 1) {
    const result = runSeed(seed, {
      rules: rulesOf(args.text('mutant')),
      ...(args.flag('trace') ? { print: (line) => process.stdout.write(`${line}\n`) } : {}),
    });
    tally.add(result);
  }
  tally.print(first, last);
  return tally.failed === 0 ? 0 : EXIT_VIOLATION;
}

function rulesOf(name: string | undefined): typeof TRUE_RULES {
  if (name === undefined) return TRUE_RULES;
  const mutant = MUTANTS.find((known) => known.name === name);
  if (mutant === undefined) {
    throw new LockstepError('USAGE', `--mutant: no "${name}"; --list-mutants names them all`);
  }
  return mutant.rules;
}

function seedRange(args: Arguments): { readonly first: number; readonly last: number } {
  const one = args.integer('seed', 0, Number.MAX_SAFE_INTEGER);
  const range = args.text('seeds');
  if (one !== undefined) {
    if (range !== undefined)
      throw new LockstepError('USAGE', '--seed and --seeds exclude each other');
    return { first: one, last: one };
  }
  if (args.flag('trace')) throw new LockstepError('USAGE', '--trace needs --seed N');
  const match = /^(\d{1,15})\.\.(\d{1,15})$/.exec(range ?? DEFAULT_SEEDS);
  const first = Number(match?.[1]);
  const last = Number(match?.[2]);
  if (match === null || first > last) {
    throw new LockstepError('USAGE', `--seeds: "${range}" is not of the form A..B with A <= B`);
  }
  return { first, last };
}

/** Sums over seeds, and the complaints. */
class Tally {
  failed = 0;
  private readonly outcomes = { served: 0, lost: 0, stopped: 0 };
  private readonly transitions = new Set<string>();
  private failovers = 0;
  private transactions = 0;
  private simulatedMs = 0;
  private digest = 0;
  private readonly failures: { seed: number; violation: string; command: string }[] = [];
  private readonly startedMs = performance.now();
  private readonly mutant: string | undefined;
  private readonly isJson: boolean;

  constructor(mutant: string | undefined, isJson: boolean) {
    this.mutant = mutant;
    this.isJson = isJson;
  }

  add(result: Result): void {
    this.outcomes[result.outcome] += 1;
    this.failovers += result.failovers;
    this.transactions += result.transactions;
    this.simulatedMs += result.simulatedMs;
    this.digest = (Math.imul(this.digest, 31) + result.digest) >>> 0;
    for (const transition of result.transitions) this.transitions.add(transition);
    const [violation] = result.violations;
    if (violation === undefined) return;
    this.failed += 1;
    if (this.failures.length >= MAX_TOLD) return;
    const planted = this.mutant === undefined ? '' : ` --mutant ${this.mutant}`;
    const command = `lockstep simulate --seed ${result.seed} --trace${planted}`;
    this.failures.push({ seed: result.seed, violation, command });
    if (this.isJson) return;
    process.stdout.write(`seed ${result.seed}: ${violation}\n  repeat: ${command}\n`);
  }

  print(first: number, last: number): void {
    const wallSeconds = (performance.now() - this.startedMs) / 1000;
    const summary = {
      seeds: last - first + 1,
      failed: this.failed,
      ...this.outcomes,
      failovers: this.failovers,
      transactions: this.transactions,
      transitions: this.transitions.size,
      simulatedSeconds: Math.round(this.simulatedMs / 1000),
      wallSeconds: Number(wallSeconds.toFixed(1)),
      digest: this.digest.toString(16).padStart(8, '0'),
    };
    if (this.isJson) {
      process.stdout.write(`${toJsonLine({ ...summary, failures: this.failures })}\n`);
      return;
    }
    const untold = this.failed - this.failures.length;
    if (untold > 0) process.stdout.write(`and ${untold} more\n`);
    process.stdout.write(
      `${summary.seeds} seeds, ${summary.failed} failed; ` +
        `${summary.served} served, ${summary.lost} lost every copy, ${summary.stopped} stopped\n` +
        `${summary.failovers} failovers, ${summary.transactions} transactions, ` +
        `${summary.transitions} transitions; ${summary.simulatedSeconds} s simulated in ` +
        `${summary.wallSeconds} s; digest ${summary.digest}\n`,
    );
  }
}
