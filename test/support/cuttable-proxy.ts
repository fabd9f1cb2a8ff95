/**
 * A TCP proxy between a backup and its primary whose directions can be cut, one or both, while
 * nobody's connection closes: what a broken cable or a switch that forgets does, and a killed
 * process does not.
 *
 * What is sent meanwhile waits in the sockets, and arrives when the cut is mended.
 */

import { once } from 'node:events';
import { createConnection, createServer, type Server, type Socket } from 'node:net';
import { insist } from './campaign-checks.js';

/** What a cut holds back: what the backup says, what the primary says, or both. */
export type Cut = 'acks' | 'log' | 'both';

interface Link {
  /** The backup's end, and the primary's. */
  readonly client: Socket;
  readonly upstream: Socket;
}

export class CuttableProxy {
  readonly address: string;
  private readonly server: Server;
  private readonly links = new Set<Link>();
  private cuts: Cut | null = null;

  private constructor(server: Server, target: string, port: number) {
    this.server = server;
    this.address = `127.0.0.1:${port}`;
    server.on('connection', (client: Socket) => this.join(client, target));
  }

  /** `target` is HOST:PORT. */
  static async open(target: string): Promise<CuttableProxy> {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const place = server.address();
    insist(typeof place === 'object' && place !== null, 'a proxy has a port');
    return new CuttableProxy(server, target, place.port);
  }

  /** Nothing more goes this way, on any connection, until `mend`. */
  cut(cuts: Cut): void {
    this.cuts = cuts;
    for (const link of this.links) this.hold(link);
  }

  mend(): void {
    this.cuts = null;
    for (const { client, upstream } of this.links) {
      client.resume();
      upstream.resume();
    }
  }

  close(): void {
    this.server.close();
    for (const { client, upstream } of this.links) {
      client.destroy();
      upstream.destroy();
    }
  }

  private holds(way: 'acks' | 'log'): boolean {
    return this.cuts === way || this.cuts === 'both';
  }

  private hold({ client, upstream }: Link): void {
    if (this.holds('acks')) client.pause();
    if (this.holds('log')) upstream.pause();
  }

  private join(client: Socket, target: string): void {
    const [host = '', port = ''] = target.split(':');
    const upstream = createConnection({ host, port: Number(port) });
    const link = { client, upstream };
    this.links.add(link);
    this.pass(client, upstream, 'acks');
    this.pass(upstream, client, 'log');
    const end = (): void => {
      this.links.delete(link);
      client.destroy();
      upstream.destroy();
    };
    for (const socket of [client, upstream]) {
      socket.setNoDelay(true);
      socket.on('error', end).on('close', end);
    }
    this.hold(link);
  }

  private pass(from: Socket, to: Socket, way: 'acks' | 'log'): void {
    from.on('data', (bytes) => {
      if (!to.write(bytes)) from.pause();
    });
    to.on('drain', () => {
      if (!this.holds(way)) from.resume();
    });
  }
}
