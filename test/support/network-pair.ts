/**
 * A switch as a real process beside the nodes of a pair, and a client whose one connection has to
 * outlive them.
 */

import { connect, type Socket } from 'node:net';
import { once } from 'node:events';
import { join } from 'node:path';
import { NodeProcess, until } from '../../tools/demo/node-process.js';
import { LOCKSTEP } from './lockstep-process.js';

/** Two machines that boot Debian on a host that has other work. */
const BOOT_PATIENCE_MS = 300_000;

export interface SwitchProcess {
  readonly process: NodeProcess;
  /** For --net. */
  readonly target: string;
  /** Ports of the host, in the order of the forwards asked for. */
  readonly ports: readonly number[];
}

/**
 * Starts a switch whose host ports lead to `guestPorts`: free ones, but where `hostPorts` says
 * which, as after a switch that has ended.
 */
export async function startSwitch(
  folder: string,
  guestPorts: readonly number[],
  hostPorts: readonly number[] = [],
): Promise<SwitchProcess> {
  const socket = join(folder, 'switch.sock');
  const forwards = guestPorts.flatMap((port, at) => ['-p', `${hostPorts[at] ?? 0}:${port}`]);
  const words = ['switch', '--listen', `unix:${socket}`, '--json', ...forwards];
  const process = new NodeProcess(LOCKSTEP, words);
  const ready = await process.heard('ready');
  const ports = String(ready['forwards'])
    .split(',')
    .filter((text) => text !== '')
    .map((text) => Number(/:(\d+)->/.exec(text)?.[1]));
  return { process, target: `switch:unix:${socket}`, ports };
}

/** A connection that is never made again: the first failure is final. */
export class LastingConnection {
  readonly socket: Socket;
  failure: string | null = null;
  private received = Buffer.alloc(0);
  private wake: () => void = () => undefined;

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.setNoDelay(true);
    socket.on('data', (bytes) => {
      this.received = Buffer.concat([this.received, bytes]);
      this.wake();
    });
    socket.on('error', (error) => this.fail(error.message));
    socket.on('close', () => this.fail('closed'));
  }

  /** `target`: a port of this host, or the path of a Unix socket. */
  static async open(target: number | string): Promise<LastingConnection> {
    const socket =
      typeof target === 'string' ? connect(target) : connect({ host: '127.0.0.1', port: target });
    await once(socket, 'connect');
    return new LastingConnection(socket);
  }

  /**
   * The first connection whose server answers `greet`: the switch takes a client before it knows
   * whether the guest listens, and resets it if not.
   */
  static async served(
    target: number | string,
    greet: (connection: LastingConnection) => Promise<void>,
  ): Promise<LastingConnection> {
    return until(
      'a guest that serves',
      async () => {
        const connection = await LastingConnection.open(target);
        try {
          await greet(connection);
          return connection;
        } catch (error) {
          if (connection.failure === null) throw error;
          connection.close();
          return null;
        }
      },
      BOOT_PATIENCE_MS,
    );
  }

  /** The first connection whose server sends back what it is sent. */
  static async echoed(target: number | string): Promise<LastingConnection> {
    return LastingConnection.served(target, async (one) => {
      one.write('hello');
      await one.read(5);
    });
  }

  write(bytes: Uint8Array | string): void {
    this.socket.write(bytes);
  }

  /** The next `count` bytes. */
  async read(count: number): Promise<Buffer> {
    await this.wait(() => this.received.length >= count);
    const bytes = this.received.subarray(0, count);
    this.received = this.received.subarray(count);
    return bytes;
  }

  /** The next line, without its end. */
  async line(): Promise<string> {
    await this.wait(() => this.received.includes('\n'));
    const end = this.received.indexOf('\n');
    const line = this.received.subarray(0, end).toString('latin1').replace(/\r$/, '');
    this.received = this.received.subarray(end + 1);
    return line;
  }

  close(): void {
    this.failure ??= 'closed here';
    this.socket.destroy();
  }

  private async wait(condition: () => boolean): Promise<void> {
    while (!condition()) {
      if (this.failure !== null) throw new Error(`the connection failed: ${this.failure}`);
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
    }
  }

  private fail(reason: string): void {
    this.failure ??= reason;
    this.wake();
  }
}
