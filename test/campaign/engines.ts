/**
 * `npm run campaign:engines -- [--stops N] [--seed S] [--subject NAME]`: the same guests in every
 * way to execute, stopped at the same random instruction counts, with equal state at each.
 *
 * Each run is a process of its own, since some ways are flags of Node.js; it prints a hash for each
 * stop (`--hashes VARIANT`), and this one compares them with the interpreter's. The mixed program
 * gets half of the stops, the programs of the benchmarks and the beginning of Debian the rest.
 */

import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { EXIT_STATUS, LockstepError } from '../../lib/base/error.js';
import { parseCommandLine, type Arguments, type Command } from '../../tools/command.js';
import { SUBJECTS, subjectOf, type Subject } from '../support/engine-subjects.js';
import { firstDifference, hashesOf, INTERPRETED, VARIANTS } from '../support/engine-variants.js';

const DEFAULT_STOPS = 100_000;
const DEFAULT_SEED = 1;
const LINES_PER_WRITE = 1000;

const command: Command = {
  usage: [
    'campaign:engines [--stops N] [--seed S] [--subject NAME]',
    'campaign:engines --subject NAME --hashes VARIANT --stops N [--seed S]',
  ],
  description: 'Compares the state of guests between the interpreter and every way to compile.',
  options: {
    stops: { type: 'string', value: 'N', help: 'instruction counts to stop at (100000)' },
    seed: { type: 'string', value: 'S', help: 'of the stops and of what is random (1)' },
    subject: { type: 'string', value: 'NAME', help: 'mixed, debian or a benchmark (all)' },
    hashes: { type: 'string', value: 'VARIANT', help: 'print the hashes of one run instead' },
  },
  run: runCampaign,
};

async function runCampaign(args: Arguments): Promise<number> {
  const stops = args.integer('stops', 1, 100_000_000) ?? DEFAULT_STOPS;
  const seed = args.integer('seed', 0, 0x7fff_ffff) ?? DEFAULT_SEED;
  const chosen = args.text('subject');
  const hashes = args.text('hashes');
  if (hashes !== undefined) {
    await printHashes(await findSubject(chosen ?? 'mixed'), hashes, { seed, stops });
    return 0;
  }
  let different = 0;
  let total = 0;
  for (const name of chosen === undefined ? SUBJECTS : [chosen]) {
    const subject = await findSubject(name);
    const share = chosen === undefined ? Math.ceil(stops * subject.share) : stops;
    different += await compareAll(subject, { seed, stops: share });
    total += share;
  }
  process.stdout.write(`${total} stops in each of ${VARIANTS.length} ways, ${different} differ\n`);
  return different === 0 ? 0 : 1;
}

interface Plan {
  readonly seed: number;
  readonly stops: number;
}

async function findSubject(name: string): Promise<Subject> {
  const subject = await subjectOf(name);
  if (subject === null) {
    throw new LockstepError('USAGE', `"${name}" is none of ${SUBJECTS.join(', ')}`);
  }
  return subject;
}

async function printHashes(subject: Subject, name: string, plan: Plan): Promise<void> {
  const variant = VARIANTS.find((known) => known.name === name);
  if (variant === undefined) {
    const known = VARIANTS.map((each) => each.name).join(', ');
    throw new LockstepError('USAGE', `"${name}" is none of ${known}`);
  }
  let lines: string[] = [];
  for (const line of hashesOf({ subject, variant, ...plan })) {
    lines.push(line);
    if (lines.length < LINES_PER_WRITE) continue;
    await new Promise((resolve) => process.stdout.write(`${lines.join('\n')}\n`, resolve));
    lines = [];
  }
  if (lines.length > 0) process.stdout.write(`${lines.join('\n')}\n`);
}

/** How many of the ways differ from the interpreter. */
async function compareAll(subject: Subject, plan: Plan): Promise<number> {
  let expected: readonly string[] = [];
  let different = 0;
  for (const variant of VARIANTS) {
    const begun = performance.now();
    const lines = await linesOf(subject, variant.name, { ...plan, nodeFlags: variant.nodeFlags });
    if (variant === INTERPRETED) expected = lines;
    const difference = firstDifference(expected, lines);
    if (difference !== null) different += 1;
    const seconds = (performance.now() - begun) / 1000;
    const verdict = difference ?? `${lines.length} stops equal`;
    process.stdout.write(
      `${subject.name}, ${variant.name}: ${verdict}, to step ${lastStep(lines)}, ` +
        `${seconds.toFixed(1)} s\n`,
    );
  }
  return different;
}

const lastStep = (lines: readonly string[]): string => lines.at(-1)?.split(' ')[0] ?? 'none';

async function linesOf(
  subject: Subject,
  variant: string,
  { seed, stops, nodeFlags }: Plan & { readonly nodeFlags: readonly string[] },
): Promise<readonly string[]> {
  const script = fileURLToPath(import.meta.url);
  const words = ['--subject', subject.name, '--hashes', variant, '--stops', `${stops}`];
  const all = [...nodeFlags, '--enable-source-maps', script, ...words, '--seed', `${seed}`];
  const child = spawn(process.execPath, all, { stdio: ['ignore', 'pipe', 'inherit'] });
  const parts: Buffer[] = [];
  child.stdout.on('data', (part: Buffer) => parts.push(part));
  const status = await new Promise((resolve) => child.on('close', resolve));
  if (status !== 0) throw new LockstepError('IO', `${variant} ended with status ${String(status)}`);
  return Buffer.concat(parts).toString().trim().split('\n');
}

try {
  process.exitCode = await command.run(parseCommandLine(command, process.argv.slice(2)));
} catch (error) {
  if (!(error instanceof LockstepError)) throw error;
  process.stderr.write(`campaign: ${error.message}\n`);
  process.exitCode = EXIT_STATUS[error.code];
}
