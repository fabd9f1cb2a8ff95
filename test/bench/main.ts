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
import { Bench } from './bench.js';
import { COSTS } from './costs.js';
import { PROGRAMS } from './programs.js';

const SETS = ['compute', 'kernel', 'boot', 'debian', ...COSTS] as const;
const NAMES: readonly string[] = [...SETS, ...PROGRAMS.map(({ name }) => name)];

const command: Command = {
  usage: ['[NAME]... [--runs N] [--quick] [--check] [--json]'],
  description:
    'Measures Lockstep beside QEMU: plain, with -icount, and recording. A NAME is a set ' +
    `(${SETS.join(', ')}) or a program (${PROGRAMS.map(({ name }) => name).join(', ')}); ` +
    'without one, everything is measured.',
  options: {
    runs: {
      type: 'string',
      value: 'N',
      help: 'runs of each, medians are shown (3; 1 for debian and costs)',
    },
    quick: { type: 'boolean', help: 'one run each of the programs and of the boot, no costs' },
    check: { type: 'boolean', help: 'exit status 1 if a promised figure falls short' },
    json: { type: 'boolean', help: 'one JSON object a line' },
  },
  positionals: { min: 0, max: NAMES.length },
  run: async (args: Arguments): Promise<number> => {
    refuseUnknown(args.positionals);
    const folder = await mkdtemp(join(tmpdir(), 'lockstep-bench-'));
    try {
      const bench = await Bench.prepare(
        {
          names: args.positionals,
          runs: args.integer('runs', 1, 100) ?? null,
          isQuick: args.flag('quick'),
          isJson: args.flag('json'),
        },
        folder,
      );
      const { agrees, keeps } = await bench.run();
      return agrees && (keeps || !args.flag('check')) ? 0 : 1;
    } finally {
      await rm(folder, { recursive: true });
    }
  },
};

function refuseUnknown(names: readonly string[]): void {
  for (const name of names) {
    if (NAMES.includes(name)) continue;
    const hint = nearestName(name, NAMES);
    const suggestion = hint === undefined ? NAMES.join(', ') : `did you mean ${hint}?`;
    throw new LockstepError('USAGE', `nothing is called "${name}"; ${suggestion}`);
  }
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
