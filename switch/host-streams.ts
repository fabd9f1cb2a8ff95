/**
 * The TCP sockets of the host behind a gateway's streams: clients of forwarded ports, and what
 * guests have connected to.
 *
 * What a socket takes is reported when the kernel has it, so a client that does not read fills no
 * memory here; what a socket brings is read only while the gateway wants it.
 */

import { connect, createServer, type Server, type Socket } from 'node:net';
import { LockstepError } from '../lib/base/error.js';
import type { GatewayInput } from '../lib/network/gateway-contract.js';
import { formatIp } from '../lib/network/ipv4.js';

/** A port of the host that leads to a port of a guest. */
export interface Forward {
  readonly host: string;
  readonly port: number;
  readonly guest: number;
  readonly guestPort: number;
}

const CONNECT_TIMEOUT_MS = 30_000;

export interface HostStreamsOptions {
  readonly give: (input: GatewayInput) => void;
  readonly takeNumber: () => number;
}

export class HostStreams {
  private readonly options: HostStreamsOptions;
  private readonly sockets = new Map<number, Socket>();
  private readonly servers: Server[] = [];

  constructor(options: HostStreamsOptions) {
    this.options = options;
  }

  /** Listens for clients; gives the port, which the host chooses for port 0. Errors: IO. */
  listen(forward: Forward): Promise<number> {
    const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
      const stream = this.options.takeNumber();
      this.add(stream, socket);
      const { guest: address, guestPort: port } = forward;
      this.options.give({ kind: 'client', stream, address, port });
    });
    this.servers.push(server);
    return new Promise((resolve, reject) => {
      server.once('error', (error) => {
        const where = `${forward.host}:${forward.port}`;
        reject(
          new LockstepError('IO', `the forwarded port ${where} can't be opened: ${error.message}`),
        );
      });
      server.listen(forward.port, forward.host, () => {
        const address = server.address();
        resolve(typeof address === 'object' && address !== null ? address.port : forward.port);
      });
    });
  }

  /** Connects for a guest, and says how that went. */
  connect(stream: number, address: number, port: number): void {
    const socket = connect({ host: formatIp(address), port, allowHalfOpen: true, noDelay: true });
    socket.setTimeout(CONNECT_TIMEOUT_MS, () => socket.destroy(new Error('no answer')));
    this.add(stream, socket, () => {
      socket.setTimeout(0);
      this.options.give({ kind: 'connected', stream, ok: true });
    });
  }

  write(stream: number, bytes: Uint8Array): void {
    const socket = this.sockets.get(stream);
    if (socket === undefined) return;
    socket.write(bytes, (error) => {
      // What a broken socket did not take is gone with it; `failed` has been said.
      if (error === null || error === undefined) {
        this.options.give({ kind: 'written', stream, count: bytes.length });
      }
    });
  }

  finish(stream: number): void {
    this.sockets.get(stream)?.end();
  }

  abort(stream: number): void {
    const socket = this.sockets.get(stream);
    this.sockets.delete(stream);
    socket?.resetAndDestroy();
  }

  read(stream: number, on: boolean): void {
    const socket = this.sockets.get(stream);
    if (on) socket?.resume();
    else socket?.pause();
  }

  close(): void {
    for (const server of this.servers) server.close();
    for (const socket of this.sockets.values()) socket.destroy();
    this.sockets.clear();
  }

  private add(stream: number, socket: Socket, onConnect?: () => void): void {
    this.sockets.set(stream, socket);
    const isOurs = (): boolean => this.sockets.get(stream) === socket;
    let connected = onConnect === undefined;
    if (onConnect !== undefined) {
      socket.once('connect', () => {
        connected = true;
        onConnect();
      });
    }
    socket.on('data', (bytes) => this.options.give({ kind: 'data', stream, bytes }));
    socket.on('end', () => this.options.give({ kind: 'ended', stream }));
    socket.on('error', () => {
      if (!isOurs()) return;
      this.sockets.delete(stream);
      if (connected) this.options.give({ kind: 'failed', stream });
      else this.options.give({ kind: 'connected', stream, ok: false });
    });
    socket.on('close', () => {
      if (isOurs()) this.sockets.delete(stream);
    });
  }
}
