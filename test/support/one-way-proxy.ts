/**
 * A TCP proxy whose direction from client to server can be cut while the other goes on, and
 * nobody's connection closes: the network fault in which a primary hears nothing and a backup
 * hears everything.
 *
 * What the client sends meanwhile waits in the sockets, and arrives when the cut is mended.
 */

import { once } from 'node:events';
import { createConnection, createServer, type Server, type Socket } from 'node:net';
import { insist } from './campaign-checks.js';

export class OneWayProxy {
  readonly address: string;
  private readonly server: Server;
  private readonly links = new Set<{ readonly client: Socket; readonly upstream: Socket }>();
  private isCut = false;

  private constructor(server: Server, target: string, port: number) {
    this.server = server;
    this.address = `127.0.0.1:${port}`;
    server.on('connection', (client: Socket) => this.join(client, target));
  }

  /** `target` is HOST:PORT. */
  static async open(target: string): Promise<OneWayProxy> {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const place = server.address();
    insist(typeof place === 'object' && place !== null, 'a proxy has a port');
    return new OneWayProxy(server, target, place.port);
  }

  /** Nothing more goes from client to server. */
  cut(): void {
    this.isCut = true;
    for (const { client } of this.links) client.pause();
  }

  mend(): void {
    this.isCut = false;
    for (const { client } of this.links) client.resume();
  }

  close(): void {
    this.server.close();
    for (const { client, upstream } of this.links) {
      client.destroy();
      upstream.destroy();
    }
  }

  private join(client: Socket, target: string): void {
    const [host = '', port = ''] = target.split(':');
    const upstream = createConnection({ host, port: Number(port) });
    const link = { client, upstream };
    this.links.add(link);
    client.on('data', (bytes) => {
      if (!upstream.write(bytes)) client.pause();
    });
    upstream.on('drain', () => {
      if (!this.isCut) client.resume();
    });
    upstream.pipe(client);
    const end = (): void => {
      this.links.delete(link);
      client.destroy();
      upstream.destroy();
    };
    for (const socket of [client, upstream]) socket.on('error', end).on('close', end);
    if (this.isCut) client.pause();
  }
}
