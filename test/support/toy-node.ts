/**
 * A primary or a backup in a process of its own, with the toy machine in the place of the real
 * one: `toy-node primary|backup [flags of a pair] [--connect A,B] [--append TEXT]`.
 *
 * Everything but the machine is what `lockstep primary` and `lockstep backup` run. The append text
 * changes the machine's digest, so a test can start two nodes that do not fit.
 */

import { runBackup, runMember } from '../../backup/main.js';
import { EXIT_STATUS, LockstepError } from '../../lib/base/error.js';
import { DEFAULT_ENGINE } from '../../lib/machine/engine.js';
import type { MachineSpec } from '../../lib/node/machine-spec.js';
import { runPrimary } from '../../primary/main.js';
import { parseCommandLine, type Command } from '../../tools/command.js';
import { leave } from '../../tools/leave.js';
import { openJournal, PAIR_OPTIONS, readNodeOptions } from '../../tools/pair-options.js';
import { TOY_CONFIG, TOY_IMAGES } from './toy-machine.js';

const command: Command = {
  usage: ['toy-node primary|backup'],
  description: 'A node with the toy machine.',
  options: {
    ...PAIR_OPTIONS,
    connect: { type: 'string', value: 'A,B', help: 'where a primary may be' },
    append: { type: 'string', value: 'TEXT', help: 'part of the digest' },
    rejoin: { type: 'boolean', help: 'as of lockstep backup' },
    'verify-only': { type: 'boolean', help: 'as of lockstep backup' },
    flipped: { type: 'boolean', help: 'a bit of RAM flips after a while' },
  },
  positionals: { min: 1, max: 1 },
  async run(args) {
    const factory = args.flag('flipped') ? './toy-flipped.js' : './toy-machine.js';
    const spec: MachineSpec = {
      config: { ...TOY_CONFIG, append: args.text('append') ?? '' },
      images: TOY_IMAGES,
      diskBases: [],
      imageFiles: [],
      network: null,
      engine: DEFAULT_ENGINE,
      machineFactory: new URL(factory, import.meta.url).href,
    };
    const options = await readNodeOptions(args);
    const journal = openJournal(args);
    const connect = args.list('connect') ?? [];
    switch (args.positionals[0]) {
      case 'backup': {
        const purpose = args.flag('verify-only') ? 'verify' : 'protect';
        const following = { connect, purpose, rejoins: args.flag('rejoin') } as const;
        return runBackup(options, following, spec, journal);
      }
      case 'node':
        return runMember(options, connect, spec, journal);
      default:
        return runPrimary(options, spec, journal);
    }
  },
};

try {
  await leave(await command.run(parseCommandLine(command, process.argv.slice(2))));
} catch (error) {
  if (!(error instanceof LockstepError)) throw error;
  process.stderr.write(`lockstep: ${error.code}: ${error.message}\n`);
  await leave(EXIT_STATUS[error.code]);
}
