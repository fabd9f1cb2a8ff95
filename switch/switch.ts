/**
 * The switch: a process that stands for the network between machines, and between them and what is
 * outside. It outlives the processes that run the machines, and so do the connections of clients.
 *
 *   nodes, QEMU --> ports --> PatchPanel --> ports
 *                                |  ^
 *                                v  |
 *                        HostGateway or Uplink
 *
 * Every decision is in the cores (lib/network); here are sockets and the clock.
 */

import { createServer, type Server, type Socket } from 'node:net';
import { LockstepError } from '../lib/base/error.js';
import { formatMac } from '../lib/network/ethernet.js';
import { GATEWAY_MAC } from '../lib/network/gateway-contract.js';
import { OUTSIDE_PORT, PatchPanel, type PortId } from '../lib/network/patch-panel.js';
import type { Plug, Verdict } from '../lib/network/attachment.js';
import type { Journal } from '../lib/node/journal.js';
import { formatAddress, parseAddress, requireLocal } from '../lib/rpc/address.js';
import { clearSocketFile } from '../lib/rpc/socket-file.js';
import { HostGateway, type HostGatewayOptions } from './host-gateway.js';
import type { Outside } from './outside.js';
import { Port } from './port.js';
import { Uplink, type UplinkTarget } from './uplink.js';

/** Connections of machines at once. */
const MAX_PORTS = 64;

export interface SwitchOptions {
  /** HOST:PORT or unix:PATH, on this host. */
  readonly listen: string;
  readonly outside:
    | ({ readonly kind: 'gateway' } & HostGatewayOptions)
    | { readonly kind: 'uplink'; readonly target: UplinkTarget };
  readonly journal: Journal;
  /** The switch is of no more use. */
  readonly onFailure: (error: LockstepError) => void;
}

export class Switch {
  /** Where machines are plugged in. */
  address = '';
  /** The ports of the host that lead to guests, in the order given. */
  forwardedPorts: readonly number[] = [];
  private readonly journal: Journal;
  private readonly panel: PatchPanel;
  private readonly ports = new Map<PortId, Port>();
  private outside: Outside | null = null;
  private server: Server | null = null;
  private nextPort = OUTSIDE_PORT + 1;

  private constructor(options: SwitchOptions) {
    this.journal = options.journal;
    this.panel = new PatchPanel(options.outside.kind === 'gateway' ? GATEWAY_MAC : null);
  }

  /** Opens everything. Errors: USAGE, INSECURE, IO; nothing stays open then. */
  static async open(options: SwitchOptions): Promise<Switch> {
    const opened = new Switch(options);
    try {
      await opened.openOutside(options);
      await opened.listen(options.listen);
      return opened;
    } catch (error) {
      opened.close();
      throw error;
    }
  }

  close(): void {
    this.server?.close();
    for (const port of this.ports.values()) port.close();
    this.outside?.close();
  }

  private async openOutside({ outside, onFailure }: SwitchOptions): Promise<void> {
    const emit = (bytes: Uint8Array): void => this.forward(OUTSIDE_PORT, bytes);
    if (outside.kind === 'uplink') {
      this.outside = await Uplink.open(outside.target, { frame: emit, failed: onFailure });
      return;
    }
    const gateway = new HostGateway(outside, emit);
    this.outside = gateway;
    this.forwardedPorts = await gateway.listen();
  }

  private async listen(text: string): Promise<void> {
    const address = parseAddress(text);
    requireLocal(address, 'frames at');
    if (address.kind === 'unix') await clearSocketFile(address.path);
    const server = createServer((socket) => this.accept(socket));
    this.server = server;
    await new Promise<void>((resolve, reject) => {
      server.once('error', (error) => {
        reject(new LockstepError('IO', `${text} can't be opened: ${error.message}`));
      });
      if (address.kind === 'unix') server.listen(address.path, resolve);
      else server.listen(address.port, address.host, resolve);
    });
    const bound = server.address();
    const isTcp = address.kind === 'tcp' && typeof bound === 'object' && bound !== null;
    this.address = formatAddress(isTcp ? { ...address, port: bound.port } : address);
  }

  private accept(socket: Socket): void {
    if (this.ports.size >= MAX_PORTS) {
      this.journal.note({ event: 'refused', detail: `more than ${MAX_PORTS} machines` });
      socket.destroy();
      return;
    }
    const id = this.nextPort++;
    const port: Port = new Port(socket, {
      plug: (plug) => this.plug(id, plug),
      plain: () => {
        this.panel.attachPlain(id);
        this.journal.note({
          event: 'plugged in',
          detail: 'a peer without a name',
          fields: { port: id },
        });
        this.outside?.pluggedIn(null);
      },
      frame: (bytes) => this.forward(id, bytes),
      over: (reason) => {
        this.ports.delete(id);
        this.panel.detach(id);
        const detail = reason ?? 'the connection ended';
        this.journal.note({
          event: 'unplugged',
          detail,
          fields: { port: id, dropped: port.dropped },
        });
      },
    });
    this.ports.set(id, port);
  }

  private plug(id: PortId, plug: Plug): Verdict {
    const { machineId, epoch, mac } = plug;
    const attached = this.panel.attach(id, plug);
    const { verdict, offset, displaced } = attached;
    const fields = { machine: machineId, epoch, port: id, mac: formatMac(mac), offset };
    if (verdict !== 'accepted') {
      const detail = `${verdict}; epoch ${attached.epoch} is known`;
      this.journal.note({ event: 'refused', detail, fields });
      return attached;
    }
    this.journal.note({ event: 'plugged in', fields });
    if (displaced !== null) {
      this.ports.get(displaced)?.close();
      this.ports.delete(displaced);
      this.journal.note({
        event: 'displaced',
        detail: 'an older place',
        fields: { port: displaced },
      });
    }
    // After the verdict: what follows on the wire are frames.
    setImmediate(() => this.outside?.pluggedIn(mac));
    return attached;
  }

  private forward(from: PortId, bytes: Uint8Array): void {
    for (const to of this.panel.route(from, bytes)) {
      if (to === OUTSIDE_PORT) this.outside?.take(bytes);
      else this.ports.get(to)?.send(bytes);
    }
  }
}
