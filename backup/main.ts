/**
 * The life of a node that follows: from its options to its exit status, promotion included.
 */

import { LockstepError } from '../lib/base/error.js';
import type { MachineStop } from '../lib/machine/machine.js';
import type { Journal } from '../lib/node/journal.js';
import type { MachineSpec } from '../lib/node/machine-spec.js';
import { Node, type NodeOptions } from '../lib/node/node.js';
import { statusOfStop } from '../lib/node/stop-status.js';
import { powerOn } from '../primary/power-on.js';
import type { Primary } from '../primary/primary.js';
import { Backup, type BackupOptions } from './backup.js';

export type Following = Omit<BackupOptions, 'node' | 'spec'>;

/**
 * Runs until the guest ends in order, here or on the primary, and gives its status. Errors: as
 * for a primary, and INCOMPATIBLE_PEER, DIVERGED, FENCED.
 */
export async function runBackup(
  options: NodeOptions,
  following: Following,
  spec: MachineSpec,
  journal: Journal,
): Promise<number> {
  journal.role = 'backup';
  const node = await Node.open(options, journal);
  try {
    return statusOfStop(await follow(node, spec, following));
  } finally {
    await node.close();
  }
}

/**
 * A member of a pool: powers the machine on if nobody ever has, follows whoever has it otherwise,
 * and follows again when another has taken it over. Errors: as `runBackup`, but for FENCED.
 */
export async function runMember(
  options: NodeOptions,
  peers: readonly string[],
  spec: MachineSpec,
  journal: Journal,
): Promise<number> {
  const node = await Node.open(options, journal);
  try {
    for (;;) {
      const stop = await unlessFenced(node, () => takePart(node, peers, spec));
      if (stop !== null) return statusOfStop(stop);
    }
  } finally {
    await node.close();
  }
}

async function takePart(
  node: Node,
  peers: readonly string[],
  spec: MachineSpec,
): Promise<MachineStop> {
  const newest = await node.arbiter.newest(node.machineId);
  if (newest === null) {
    node.journal.role = 'primary';
    return serve(await powerOn(node, spec), (primary) => {
      primary.start();
      node.announceReady({ digest: primary.digest, log: primary.logDirectory ?? 'none' });
    });
  }
  node.journal.role = 'backup';
  const connect = [...new Set([newest.holder.address, ...peers])].filter(
    (address) => address !== node.address,
  );
  return follow(node, spec, { connect, purpose: 'protect', rejoins: true });
}

/** What a node does that may lose the machine to another; null if it has. */
async function unlessFenced(
  node: Node,
  work: () => Promise<MachineStop>,
): Promise<MachineStop | null> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof LockstepError) || error.code !== 'FENCED') throw error;
    node.journal.note({ event: 'follows again', detail: error.message });
    node.setPrimary(false);
    node.metrics.forgetRole();
    return null;
  }
}

async function follow(node: Node, spec: MachineSpec, following: Following): Promise<MachineStop> {
  const backup = await Backup.create({ node, spec, ...following });
  backup.start();
  node.announceReady({ digest: backup.digest, log: backup.logDirectory ?? 'none' });
  const outcome = await backup.done.catch(async (error: unknown) => {
    await backup.close();
    throw error;
  });
  if (outcome.kind === 'promoted') return serve(outcome.primary, () => undefined);
  await backup.close();
  return outcome.stop;
}

async function serve(primary: Primary, begin: (primary: Primary) => void): Promise<MachineStop> {
  try {
    begin(primary);
    return await primary.done;
  } finally {
    await primary.close();
  }
}
