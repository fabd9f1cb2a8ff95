/**
 * `lockstep backup`: follows a primary, and carries on at the same instruction when it dies.
 */

import { runBackup } from '../../backup/main.js';
import { LockstepError } from '../../lib/base/error.js';
import type { Arguments, Command } from '../command.js';
import { MACHINE_OPTIONS, readMachine } from '../machine-flags.js';
import { openJournal, PAIR_OPTIONS, readNodeOptions } from '../pair-options.js';

export const backup: Command = {
  usage: ['backup --connect ADDRESS[,ADDRESS]... --arbiter ARBITER [machine flags]'],
  description:
    'Receives the log of a primary, replays it, and takes over when the primary dies and the ' +
    'arbiter agrees. Then it is the primary on the same address, and takes a new backup by ' +
    'itself. Where enough others protect the machine it stands by until it is wanted. Exit ' +
    'status: the one of the guest, 6 if the primary runs another machine, 8 if another node won, ' +
    '9 if the replica differed.',
  options: {
    ...MACHINE_OPTIONS,
    ...PAIR_OPTIONS,
    connect: { type: 'string', value: 'A,B', help: 'where a primary may be found' },
    rejoin: { type: 'boolean', help: 'follow another node that won, instead of ending with 8' },
    'verify-only': {
      type: 'boolean',
      help: 'replay and compare, but never take over; output does not wait for this node',
    },
  },
  async run(args: Arguments): Promise<number> {
    const connect = args.list('connect') ?? [];
    if (connect.length === 0) throw new LockstepError('USAGE', '--connect A,B is needed');
    const options = await readNodeOptions(args);
    const spec = await readMachine(args, 'agreed');
    const purpose = args.flag('verify-only') ? 'verify' : 'protect';
    const following = { connect, purpose, rejoins: args.flag('rejoin') } as const;
    return runBackup(options, following, spec, openJournal(args));
  },
};
