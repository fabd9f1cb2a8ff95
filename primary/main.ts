/**
 * The life of a primary process, from its options to its exit status.
 */

import type { Journal } from '../lib/node/journal.js';
import type { MachineSpec } from '../lib/node/machine-spec.js';
import { Node, type NodeOptions } from '../lib/node/node.js';
import { statusOfStop } from '../lib/node/stop-status.js';
import { powerOn, restore } from './power-on.js';

export interface PrimaryRun {
  /** The machine to go on with, instead of one that powers on. */
  readonly snapshot?: Uint8Array;
  /** Told where the node serves. */
  readonly onReady?: (address: string) => void;
}

/**
 * Runs until the guest ends in order, and gives its status. Errors: whatever keeps a node from
 * opening or a machine from being built; FENCED if another node has taken over.
 */
export async function runPrimary(
  options: NodeOptions,
  spec: MachineSpec,
  journal: Journal,
  { snapshot, onReady }: PrimaryRun = {},
): Promise<number> {
  journal.role = 'primary';
  const node = await Node.open(options, journal);
  try {
    const primary =
      snapshot === undefined ? await powerOn(node, spec) : await restore(node, spec, snapshot);
    try {
      primary.start();
      node.announceReady({ digest: primary.digest, log: primary.logDirectory ?? 'none' });
      onReady?.(node.address);
      return statusOfStop(await primary.done);
    } finally {
      await primary.close();
    }
  } finally {
    await node.close();
  }
}
