/**
 * The network of a machine that runs in this process alone: no arbiter, no epoch, so a switch takes
 * it as it comes and remembers nothing of it.
 */

import { randomBytes } from 'node:crypto';
import type { LockstepError } from '../lib/base/error.js';
import type { HartHost } from '../lib/host/hart-host.js';
import { Journal } from '../lib/node/journal.js';
import type { MachineSpec } from '../lib/node/machine-spec.js';
import { NetworkLink } from '../lib/node/network-link.js';
import { StreamHistory } from '../lib/node/stream-history.js';

export class GuestNetwork {
  private readonly history = new StreamHistory();
  private readonly link: NetworkLink;

  private constructor(link: (history: StreamHistory) => NetworkLink) {
    this.link = link(this.history);
  }

  /** Plugs the card in; null for a machine without a network. */
  static open(
    spec: MachineSpec,
    host: HartHost,
    onRefused: (error: LockstepError) => void,
  ): GuestNetwork | null {
    const { network: target, config } = spec;
    if (target === null || config.network === null) return null;
    const { mac } = config.network;
    const incarnation = randomBytes(8).toString('hex');
    const journal = new Journal(process.stderr, false);
    journal.role = 'network';
    const network = new GuestNetwork(
      (history) =>
        new NetworkLink({
          target,
          mac,
          machineId: `run-${incarnation}`,
          incarnation,
          epoch: () => 0n,
          history: () => history,
          receive: (frames) => host.sendFrames(frames),
          onUp: () => undefined,
          onRefused,
          journal,
        }),
    );
    network.link.start(null);
    return network;
  }

  output(offset: bigint, bytes: Uint8Array): void {
    this.history.append(offset, bytes);
    this.link.notice();
  }

  close(): void {
    this.link.close();
  }
}
