/**
 * `npm run bench -- [NAME]...`: what Lockstep costs, beside QEMU on the same work in the same run.
 *
 * Everything is measured from outside: whole processes from start to end, compiling included.
 * Emulators run in turn, so that a change of the machine's load meets all of them. Exit status 1
 * if two emulators disagree about a result, or, with --check, if a promise falls short.
 */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EXIT_STATUS, LockstepError } from '../../lib/base/error.js';
import {
  nearestName,
  parseCommandLine,
  type Arguments,
  type Command,
} from '../../tools/command.js';
import { helpText } from '../../tools/help.js';
import { toJsonLine } from '../../tools/output.js';
import { findEmulators, type Emulator } from './emulators.js';
import { describeHost, hostLines } from './host.js';
import { benchProgram, type ProgramFigure } from './program-bench.js';
import {
  programHead,
  programJson,
  programRow,
  summaryJson,
  summaryRows,
} from './program-report.js';
import { judgePrograms, promiseLine, type Verdict } from './promises.js';
import { PROGRAMS, type Program } from './programs.js';

const GROUPS = ['compute', 'kernel'] as const;
const NAMES: readonly string[] = [...GROUPS, ...PROGRAMS.map(({ name }) => name)];
const DEFAULT_RUNS = 3;
/** What a quick run leaves out for programs: recording costs what counting costs. */
const QUICK_EMULATORS: readonly Emulator[] = ['lockstep', 'qemu', 'icount'];

const command: Command = {
  usage: ['[NAME]... [--runs N] [--quick] [--check] [--json]'],
  description:
    'Measures Lockstep beside QEMU: plain, with -icount, and recording. NAMEs choose groups ' +
    `(${GROUPS.join(', ')}) or programs (${PROGRAMS.map(({ name }) => name).join(', ')}).`,
  options: {
    runs: { type: 'string', value: 'N', help: `runs of each, medians are shown (${DEFAULT_RUNS})` },
    quick: { type: 'boolean', help: 'one run of each, and without what takes long' },
    check: { type: 'boolean', help: 'exit status 1 if a promised figure falls short' },
    json: { type: 'boolean', help: 'one JSON object a line' },
  },
  positionals: { min: 0, max: NAMES.length },
  run: bench,
};

async function bench(args: Arguments): Promise<number> {
  const programs = choose(args.positionals);
  const isQuick = args.flag('quick');
  const isJson = args.flag('json');
  const runs = args.integer('runs', 1, 100) ?? (isQuick ? 1 : DEFAULT_RUNS);
  const emulators = await findEmulators();
  const chosen = emulators.available.filter((one) => !isQuick || QUICK_EMULATORS.includes(one));
  const print = (text: string): void => void process.stdout.write(`${text}\n`);
  const host = describeHost(emulators.qemuVersion, runs);
  print(isJson ? toJsonLine(host) : hostLines(host).join('\n'));
  const folder = await mkdtemp(join(tmpdir(), 'lockstep-bench-'));
  const figures: ProgramFigure[] = [];
  try {
    if (!isJson) print(`\n${programHead(chosen)}`);
    for (const program of programs) {
      const figure = await benchProgram(program, emulators, { chosen, runs, folder });
      figures.push(figure);
      print(isJson ? toJsonLine(programJson(figure)) : programRow(figure, chosen));
    }
  } finally {
    await rm(folder, { recursive: true });
  }
  for (const line of isJson ? summaryJson(figures, chosen) : summaryRows(figures, chosen)) {
    print(typeof line === 'string' ? line : toJsonLine(line));
  }
  const complaints = figures.flatMap((figure) => figure.complaints);
  for (const complaint of complaints) process.stderr.write(`bench: ${complaint}\n`);
  const verdicts = judgePrograms(figures);
  if (!isJson && verdicts.length > 0) print('');
  for (const verdict of verdicts) {
    print(isJson ? toJsonLine({ kind: 'promise', ...verdict }) : promiseLine(verdict));
  }
  return complaints.length > 0 || (args.flag('check') && verdicts.some(fallsShort)) ? 1 : 0;
}

function fallsShort(verdict: Verdict): boolean {
  return !verdict.isKept;
}

function choose(names: readonly string[]): readonly Program[] {
  for (const name of names) {
    if (NAMES.includes(name)) continue;
    const hint = nearestName(name, NAMES);
    const suggestion = hint === undefined ? `${NAMES.join(', ')}` : `did you mean ${hint}?`;
    throw new LockstepError('USAGE', `nothing is called "${name}"; ${suggestion}`);
  }
  if (names.length === 0) return PROGRAMS;
  return PROGRAMS.filter(({ name, group }) => names.includes(name) || names.includes(group));
}

try {
  const words = process.argv.slice(2);
  if (words.includes('--help') || words.includes('-h')) {
    process.stdout.write(helpText(command, { caller: 'npm run bench --', name: 'bench' }));
  } else {
    process.exitCode = await command.run(parseCommandLine(command, words));
  }
} catch (error) {
  if (!(error instanceof LockstepError)) throw error;
  process.stderr.write(`bench: ${error.message}\n`);
  process.exitCode = EXIT_STATUS[error.code];
}
