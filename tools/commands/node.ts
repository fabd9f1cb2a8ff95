/**
 * `lockstep node`: a member of a pool, which finds its role by itself.
 */

import { runMember } from '../../backup/main.js';
import { LockstepError } from '../../lib/base/error.js';
import type { Arguments, Command } from '../command.js';
import { MACHINE_OPTIONS, readMachine } from '../machine-flags.js';
import { openJournal, PAIR_OPTIONS, readNodeOptions } from '../pair-options.js';

export const node: Command = {
  usage: ['node --peers ADDRESS[,ADDRESS]... --arbiter ARBITER [--backups N] [machine flags]'],
  description:
    'Runs one host of a pool; every host is started with the same flags but for its own address, ' +
    'in any order, and again after it died. The first one powers the machine on, as many as ' +
    '--backups says protect it, the others stand by. When a host dies another takes its place ' +
    'and the next spare joins; a host that was cut off or asleep, and finds that the machine has ' +
    'moved on, follows again. Exit status: the one of the guest, 6 if the primary runs another ' +
    'machine, 9 if the replica differed.\n\n' +
    'A machine that no host has any more is not powered on anew: `lockstep primary --restore` ' +
    'goes on from a log, as OPERATING.md says.',
  options: {
    ...MACHINE_OPTIONS,
    ...PAIR_OPTIONS,
    peers: { type: 'string', value: 'A,B', help: 'where the other hosts of the pool serve' },
  },
  async run(args: Arguments): Promise<number> {
    const peers = args.list('peers') ?? [];
    if (peers.length === 0) throw new LockstepError('USAGE', '--peers A,B is needed');
    const options = await readNodeOptions(args);
    const spec = await readMachine(args, 'agreed');
    return runMember(options, peers, spec, openJournal(args));
  },
};
