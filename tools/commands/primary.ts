/**
 * `lockstep primary`: runs a machine, records it, and holds its output for the backup.
 */

import { readFile } from 'node:fs/promises';
import { LockstepError } from '../../lib/base/error.js';
import { runPrimary } from '../../primary/main.js';
import type { Arguments, Command } from '../command.js';
import { ConsoleTerminal, DEFAULT_LINGER_MS } from '../console-terminal.js';
import { MACHINE_OPTIONS, readMachine } from '../machine-flags.js';
import { openJournal, PAIR_OPTIONS, readNodeOptions } from '../pair-options.js';

export const primary: Command = {
  usage: ['primary --arbiter ARBITER [--listen ADDRESS] [machine flags]'],
  description:
    'Runs a machine and serves its log, its console and its status over gRPC. Output leaves only ' +
    'when a backup holds the log that explains it; without a backup the machine runs unprotected. ' +
    'The journal is on stderr. Exit status: the one of the guest, or 8 (FENCED) when a backup has ' +
    'taken over.\n\n' +
    'Both nodes need the same machine flags, the same --machine-id and the same --arbiter.',
  options: {
    ...MACHINE_OPTIONS,
    ...PAIR_OPTIONS,
    restore: {
      type: 'string',
      value: 'FILE',
      help: 'go on from a snapshot (`lockstep run --snapshot`, or start.snapshot of a log)',
    },
    'console-stdio': { type: 'boolean', help: 'the console of the machine on stdin and stdout' },
  },
  async run(args: Arguments): Promise<number> {
    const options = await readNodeOptions(args);
    const spec = await readMachine(args, 'agreed');
    const journal = openJournal(args);
    const file = args.text('restore');
    const start = file === undefined ? {} : { snapshot: await readSnapshotFile(file) };
    if (!args.flag('console-stdio')) return runPrimary(options, spec, journal, start);
    const onReady = (address: string): void => {
      const terminal = new ConsoleTerminal({
        addresses: [address],
        stream: 'uart',
        isReadOnly: false,
        isQuiet: true,
        lingerMs: DEFAULT_LINGER_MS,
        machineId: options.machineId,
        offset: 0n,
      });
      terminal.run().catch((error: unknown) => {
        journal.note({ event: 'console left', detail: String(error) });
      });
    };
    return runPrimary(options, spec, journal, { ...start, onReady });
  },
};

async function readSnapshotFile(path: string): Promise<Uint8Array> {
  try {
    return await readFile(path);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new LockstepError('IO', `the snapshot ${path} can't be read: ${reason}`, { path });
  }
}
