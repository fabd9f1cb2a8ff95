/**
 * The life of a primary process, from its options to its exit status.
 */

import type { Journal } from '../lib/node/journal.js';
import type { MachineSpec } from '../lib/node/machine-spec.js';
import { Node, type NodeOptions } from '../lib/node/node.js';
import { statusOfStop } from '../lib/node/stop-status.js';
import { Primary } from './primary.js';

/**
 * Runs until the guest ends in order, and gives its status. `onReady` is told where the node
 * serves. Errors: whatever keeps a node from
 * opening or a machine from being built; FENCED if another node has taken over.
 */
export async function runPrimary(
  options: NodeOptions,
  spec: MachineSpec,
  journal: Journal,
  onReady: (address: string) => void = () => undefined,
): Promise<number> {
  journal.role = 'primary';
  const node = await Node.open(options, journal);
  try {
    const primary = await Primary.powerOn(node, spec);
    try {
      primary.start();
      node.announceReady({ digest: primary.digest, log: primary.logDirectory ?? 'none' });
      onReady(node.address);
      return statusOfStop(await primary.done);
    } finally {
      await primary.close();
    }
  } finally {
    await node.close();
  }
}
