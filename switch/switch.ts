/**
 * The switch: a process that stands for the network between machines, and between them and the
 * host. It outlives the processes that run the machines, and so do the connections of clients.
 *
 *   nodes, QEMU --> ports --> PatchPanel --> ports
 *                                |  ^
 *                                v  |
 *                              Gateway <--> sockets of the host
 *
 * Every decision is in the cores (lib/network); here are sockets and the clock.
 */

import { randomBytes } from 'node:crypto';
import { createServer, type Server, type Socket } from 'node:net';
import { performance } from 'node:perf_hooks';
import { unreachable } from '../lib/base/assert.js';
import { LockstepError } from '../lib/base/error.js';
import { formatMac } from '../lib/network/ethernet.js';
import { Gateway } from '../lib/network/gateway.js';
import type { GatewayInput, GatewayOutput, Reach } from '../lib/network/gateway-contract.js';
import { GATEWAY_PORT, PatchPanel, type PortId } from '../lib/network/patch-panel.js';
import type { Plug, Verdict } from '../lib/network/attachment.js';
import type { Journal } from '../lib/node/journal.js';
import { formatAddress, parseAddress, requireLocal } from '../lib/rpc/address.js';
import { clearSocketFile } from '../lib/rpc/socket-file.js';
import { HostDatagrams } from './host-datagrams.js';
import { HostStreams, type Forward } from './host-streams.js';
import { Port } from './port.js';

/** Connections of machines at once. */
const MAX_PORTS = 64;

export interface SwitchOptions {
  /** HOST:PORT or unix:PATH, on this host. */
  readonly listen: string;
  readonly forwards: readonly Forward[];
  readonly reach: Reach;
  readonly journal: Journal;
}

export class Switch {
  /** Where machines are plugged in. */
  address = '';
  /** The ports of the host that lead to guests, in the order given. */
  forwardedPorts: readonly number[] = [];
  private readonly journal: Journal;
  private readonly gateway: Gateway;
  private readonly panel = new PatchPanel();
  private readonly ports = new Map<PortId, Port>();
  private readonly streams: HostStreams;
  private readonly datagrams: HostDatagrams;
  private server: Server | null = null;
  private nextPort = GATEWAY_PORT + 1;
  private timer: NodeJS.Timeout | null = null;
  private timerAtMs = Infinity;

  private constructor(options: SwitchOptions) {
    this.journal = options.journal;
    const seed = randomBytes(4).readUInt32BE();
    this.gateway = new Gateway({ reach: options.reach, seed });
    this.streams = new HostStreams({
      give: (input) => this.give(input),
      takeNumber: () => this.gateway.takeStreamNumber(),
    });
    this.datagrams = new HostDatagrams((input) => this.give(input));
  }

  /** Opens everything. Errors: USAGE, INSECURE, IO; nothing stays open then. */
  static async open(options: SwitchOptions): Promise<Switch> {
    const opened = new Switch(options);
    try {
      await opened.listen(options.listen);
      const chosen: number[] = [];
      for (const forward of options.forwards) chosen.push(await opened.streams.listen(forward));
      opened.forwardedPorts = chosen;
      return opened;
    } catch (error) {
      opened.close();
      throw error;
    }
  }

  close(): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.server?.close();
    for (const port of this.ports.values()) port.close();
    this.streams.close();
    this.datagrams.close();
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
        this.give({ kind: 'link-up' });
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
    setImmediate(() => this.give({ kind: 'link-up' }));
    return attached;
  }

  private forward(from: PortId, bytes: Uint8Array): void {
    for (const to of this.panel.route(from, bytes)) {
      if (to === GATEWAY_PORT) this.give({ kind: 'frame', bytes });
      else this.ports.get(to)?.send(bytes);
    }
  }

  private give(input: GatewayInput): void {
    for (const output of this.gateway.step(input, performance.now())) this.perform(output);
    this.schedule();
  }

  private perform(output: GatewayOutput): void {
    switch (output.kind) {
      case 'frame':
        return this.forward(GATEWAY_PORT, output.bytes);
      case 'connect':
        return this.streams.connect(output.stream, output.address, output.port);
      case 'write':
        return this.streams.write(output.stream, output.bytes);
      case 'finish':
        return this.streams.finish(output.stream);
      case 'abort':
        return this.streams.abort(output.stream);
      case 'read':
        return this.streams.read(output.stream, output.on);
      case 'send':
        return this.datagrams.send(output.flow, output, output.bytes);
      case 'close-flow':
        return this.datagrams.closeFlow(output.flow);
      case 'resolve':
        return this.datagrams.resolve(output.query, output.bytes);
      default:
        return unreachable(output);
    }
  }

  /** One timer, for the earliest deadline. */
  private schedule(): void {
    const deadline = this.gateway.deadlineMs();
    if (deadline === null || deadline >= this.timerAtMs) return;
    if (this.timer !== null) clearTimeout(this.timer);
    this.timerAtMs = deadline;
    this.timer = setTimeout(
      () => {
        this.timer = null;
        this.timerAtMs = Infinity;
        this.give({ kind: 'tick' });
      },
      Math.max(1, deadline - performance.now()),
    );
  }
}
