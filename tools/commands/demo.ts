/**
 * `lockstep demo`: a failover to watch, in one command, on this machine alone.
 *
 *   primary A, backup B, a client that runs transactions without pause
 *   kill -9 A      B carries on; every transaction that was answered is there, once
 *   backup C       B sends it the running machine, and the pair is protected again
 *
 * It ends with an account of what was checked; the exit status says whether all of it held.
 * `lockstep demo steal` shows two harts in parallel instead.
 */

import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LockstepError } from '../../lib/base/error.js';
import { Demonstration } from '../demo/demonstration.js';
import { Screen } from '../demo/screen.js';
import { demonstrateSteals } from '../demo/steals.js';
import type { Arguments, Command } from '../command.js';

export const demo: Command = {
  usage: ['demo [--kills N] [--seconds S]', 'demo steal [--runs N]'],
  description:
    'Starts a primary, a backup and a client with the embedded ledger guest, kills the primary ' +
    'with SIGKILL, shows how the backup takes over, checks that no transaction was lost, doubled ' +
    'or reordered, and starts a new backup. No download, no root. Exit status 0 if all held.\n' +
    '\n' +
    'With `steal`, two harts in parallel share a page without a lock: their result differs from ' +
    'run to run, and a replay of each run in another process agrees with it.',
  options: {
    kills: { type: 'string', value: 'N', help: 'how often the primary is killed (1)' },
    seconds: { type: 'string', value: 'S', help: 'load before each kill and at the end (2)' },
    ahead: { type: 'string', value: 'N', help: 'transactions on their way at once (8)' },
    runs: { type: 'string', value: 'N', help: 'runs of `demo steal` (3)' },
    keep: { type: 'boolean', help: 'keep the folder with logs and arbiter' },
    json: { type: 'boolean', help: 'only the summary, as one JSON object' },
  },
  positionals: { min: 0, max: 1 },
  async run(args: Arguments): Promise<number> {
    const [what] = args.positionals;
    if (what !== undefined && what !== 'steal') {
      throw new LockstepError('USAGE', `no demonstration "${what}"; there is \`demo steal\``);
    }
    const folder = mkdtempSync(join(tmpdir(), 'lockstep-demo-'));
    if (what === 'steal') return steal(args, folder);
    mkdirSync(join(folder, 'arbiter'));
    const demonstration = new Demonstration({
      folder,
      kills: args.integer('kills', 1, 1_000) ?? 1,
      loadMs: (args.integer('seconds', 1, 3_600) ?? 2) * 1_000,
      ahead: args.integer('ahead', 1, 1_000) ?? 8,
      isJson: args.flag('json'),
    });
    const stop = (): void => {
      demonstration.killAll();
      process.exit(130);
    };
    process.once('SIGINT', stop);
    process.once('SIGTERM', stop);
    try {
      return await demonstration.run();
    } finally {
      process.off('SIGINT', stop);
      process.off('SIGTERM', stop);
      demonstration.killAll();
      if (args.flag('keep')) process.stdout.write(`kept: ${folder}\n`);
      else rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
    }
  },
};

function steal(args: Arguments, folder: string): number {
  try {
    return demonstrateSteals({
      folder,
      runs: args.integer('runs', 1, 1_000) ?? 3,
      isJson: args.flag('json'),
      screen: new Screen(),
    });
  } finally {
    if (args.flag('keep')) process.stdout.write(`kept: ${folder}\n`);
    else rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  }
}
