/**
 * A client of an echo server, on one connection that has to last.
 */

import { randomBytes } from 'node:crypto';
import { until } from '../../tools/demo/node-process.js';
import type { LastingConnection } from './network-pair.js';

const BLOCK_BYTES = 4096;

/** A client that sends random blocks one after the other, and checks that each comes back. */
export class EchoClient {
  blocks = 0;
  failure: Error | null = null;
  private readonly connection: LastingConnection;
  private isOver = false;
  readonly done: Promise<void>;

  constructor(connection: LastingConnection) {
    this.connection = connection;
    this.done = this.run().catch((error: unknown) => {
      this.failure = error instanceof Error ? error : new Error(String(error));
    });
  }

  async stop(): Promise<void> {
    this.isOver = true;
    await this.done;
    this.connection.close();
  }

  /** Resolves when `count` more blocks have come back. */
  async more(count: number): Promise<void> {
    const goal = this.blocks + count;
    await until(`${count} more blocks`, () => {
      if (this.failure !== null) throw this.failure;
      return this.blocks >= goal;
    });
  }

  private async run(): Promise<void> {
    while (!this.isOver) {
      const sent = randomBytes(BLOCK_BYTES);
      this.connection.write(sent);
      const answer = await this.connection.read(BLOCK_BYTES);
      if (!answer.equals(sent)) throw new Error(`block ${this.blocks} came back changed`);
      this.blocks += 1;
    }
  }
}
