/**
 * The primary's end of the machine's network: released frames go out, frames that come go to the
 * machine. It is plugged in when this node may speak, and not before.
 */

import { present } from '../lib/base/assert.js';
import type { OutputStream } from '../lib/event/event.js';
import type { HartPort } from '../lib/node/hart-port.js';
import type { MachineSpec } from '../lib/node/machine-spec.js';
import { NetworkLink, type NetworkTarget } from '../lib/node/network-link.js';
import type { Node } from '../lib/node/node.js';
import type { StreamHistory } from '../lib/node/stream-history.js';

/** A card, and what it is plugged into. */
export interface NetworkPlace {
  readonly target: NetworkTarget;
  readonly mac: string;
}

export function networkPlace({ network, config }: MachineSpec): NetworkPlace | null {
  return network === null || config.network === null
    ? null
    : { target: network, mac: config.network.mac };
}

export interface NetworkOwner {
  epoch(): bigint;
  readonly histories: ReadonlyMap<OutputStream, StreamHistory>;
  fail(error: unknown): void;
}

/** The link, not plugged in yet; null for a machine without a network. */
export function openNetwork(
  parts: { readonly node: Node; readonly hart: HartPort; readonly network: NetworkPlace | null },
  owner: NetworkOwner,
): NetworkLink | null {
  const { node, hart, network } = parts;
  if (network === null) return null;
  return new NetworkLink({
    ...network,
    machineId: node.machineId,
    incarnation: node.holder.incarnation,
    epoch: () => owner.epoch(),
    history: () => present(owner.histories.get('network'), 'history of network'),
    receive: (frames) => {
      node.metrics.add('lockstep_network_frames_received_total', {}, frames.length);
      const bytes = frames.reduce((sum, frame) => sum + frame.length, 0);
      node.metrics.add('lockstep_network_bytes_received_total', {}, bytes);
      hart.host.sendFrames(frames);
    },
    onUp: (isUp) => node.metrics.set('lockstep_network_up', {}, isUp ? 1 : 0),
    onRefused: (error) => owner.fail(error),
    journal: node.journal,
  });
}
