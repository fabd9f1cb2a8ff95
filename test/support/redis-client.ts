/**
 * A client of redis that speaks RESP2 on one connection and is never connected again: commands may
 * be on their way together, replies come in their order.
 */

import { LastingConnection } from './network-pair.js';

export type Reply = string | number | null | readonly Reply[];

export class RedisClient {
  readonly connection: LastingConnection;
  /** Replies are read one after the other, in the order of the commands. */
  private last: Promise<unknown> = Promise.resolve();

  constructor(connection: LastingConnection) {
    this.connection = connection;
  }

  /** Connects to a server that answers; before that, attempts are made anew. */
  static async open(port: number): Promise<RedisClient> {
    const connection = await LastingConnection.served(port, async (one) => {
      const reply = await new RedisClient(one).ask('PING');
      if (reply !== 'PONG') throw new Error(`PING is answered by ${JSON.stringify(reply)}`);
    });
    return new RedisClient(connection);
  }

  /** Sends a command; an error of the server rejects. */
  ask(...words: readonly string[]): Promise<Reply> {
    const parts = words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`);
    this.connection.write(`*${words.length}\r\n${parts.join('')}`);
    const reply = this.last.then(() => this.read());
    this.last = reply.catch(() => undefined);
    return reply;
  }

  close(): void {
    this.connection.close();
  }

  private async read(): Promise<Reply> {
    const line = await this.connection.line();
    const rest = line.slice(1);
    switch (line[0]) {
      case '+':
        return rest;
      case ':':
        return Number(rest);
      case '$': {
        if (rest === '-1') return null;
        const bytes = await this.connection.read(Number(rest) + 2);
        return bytes.subarray(0, -2).toString('utf8');
      }
      case '*': {
        const replies: Reply[] = [];
        for (let count = Number(rest); count > 0; count--) replies.push(await this.read());
        return replies;
      }
      default:
        throw new Error(`redis says ${line}`);
    }
  }
}
