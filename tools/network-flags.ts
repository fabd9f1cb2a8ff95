/**
 * The flags of the machine's network: its card, and what that is plugged into.
 */

import { LockstepError } from '../lib/base/error.js';
import type { NetworkCard } from '../lib/machine/config.js';
import { parseNetworkTarget, type NetworkTarget } from '../lib/node/network-link.js';
import type { Arguments, OptionTable } from './command.js';

/** The one that QEMU gives its first card. */
const DEFAULT_MAC = '52:54:00:12:34:56';

export const NETWORK_OPTIONS: OptionTable = {
  net: {
    type: 'string',
    value: 'KIND:ADDRESS',
    help: 'a network card, plugged into switch:ADDRESS (lockstep switch) or stream:ADDRESS (passt)',
  },
  mac: {
    type: 'string',
    value: 'ADDRESS',
    help: `address of the network card, the same on all nodes (${DEFAULT_MAC})`,
  },
};

/** Errors: USAGE. */
export function readCard(args: Arguments): NetworkCard | null {
  const mac = args.text('mac');
  if (args.text('net') !== undefined) return { mac: (mac ?? DEFAULT_MAC).toLowerCase() };
  if (mac === undefined) return null;
  throw new LockstepError('USAGE', '--mac is the address of a network card: give --net too');
}

/** Errors: USAGE, INSECURE. */
export function readTarget(args: Arguments): NetworkTarget | null {
  const text = args.text('net');
  return text === undefined ? null : parseNetworkTarget(text);
}
