/**
 * The life of a backup process, from its options to its exit status, promotion included.
 */

import type { Journal } from '../lib/node/journal.js';
import type { MachineSpec } from '../lib/node/machine-spec.js';
import { Node, type NodeOptions } from '../lib/node/node.js';
import { statusOfStop } from '../lib/node/stop-status.js';
import { Backup } from './backup.js';

/**
 * Runs until the guest ends in order, here or on the primary, and gives its status. Errors: as
 * for a primary, and INCOMPATIBLE_PEER, DIVERGED, FENCED.
 */
export async function runBackup(
  options: NodeOptions,
  connect: readonly string[],
  spec: MachineSpec,
  journal: Journal,
): Promise<number> {
  journal.role = 'backup';
  const node = await Node.open(options, journal);
  try {
    const backup = await Backup.create({ node, spec, connect });
    backup.start();
    node.announceReady({ digest: backup.digest, log: backup.logDirectory ?? 'none' });
    const outcome = await backup.done.catch(async (error: unknown) => {
      await backup.close();
      throw error;
    });
    if (outcome.kind === 'stopped') {
      await backup.close();
      return statusOfStop(outcome.stop);
    }
    try {
      return statusOfStop(await outcome.primary.done);
    } finally {
      await outcome.primary.close();
    }
  } finally {
    await node.close();
  }
}
