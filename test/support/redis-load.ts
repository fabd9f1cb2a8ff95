/**
 * The clients of the redis campaign: three connections that work without pause, and everything
 * they were told.
 *
 *   one connection appends unique values to a list, several on their way at once
 *   two connections write and read one register
 *
 * A connection that ends is a fault, but for the moment in which the switch itself is started
 * anew: what was on its way then may have happened or not, and counts as that.
 */

import { performance } from 'node:perf_hooks';
import { present } from '../../lib/base/assert.js';
import { until } from '../../tools/demo/node-process.js';
import { insist } from './campaign-checks.js';
import { checkAppends, checkRegister, type Append, type RegisterUse } from './client-histories.js';
import { RedisClient, type Reply } from './redis-client.js';

/** Appends on their way at once. */
const AHEAD = 8;
/** An answer that takes longer than this will not come. */
const ANSWER_MS = 60_000;
/** Latencies are kept of so many answers. */
const LATENCIES_MAX = 1_000_000;
/** Answers of each kind among which the pause after a strike is looked for. */
const RECENT = 5_000;

const NAMES = ['list', 'a', 'b'] as const;
type Name = (typeof NAMES)[number];

export class RedisLoad {
  readonly latenciesMs: number[] = [];
  /** How often the clients' connections were made; three, if no switch was started anew. */
  connections = 0;
  private readonly port: () => number;
  private readonly appends: Append[] = [];
  private readonly uses: RegisterUse[] = [];
  private clients = new Map<Name, RedisClient>();
  private runs: Promise<void>[] = [];
  private fault: Error | null = null;
  /** Resolves when connections that may end have been made again; null while none may. */
  private outage: Promise<void> | null = null;
  private isOver = false;

  /** `port` leads to redis; it is asked whenever a connection is made. */
  constructor(port: () => number) {
    this.port = port;
  }

  get answered(): number {
    return this.appends.length + this.uses.length;
  }

  /** Appends acknowledged so far. */
  get appended(): number {
    return this.appends.length;
  }

  /** The first connection: redis answers when this resolves. */
  async open(): Promise<void> {
    await this.connect('list');
  }

  /** Errors: Broken, if the clients get no answers. */
  async start(): Promise<void> {
    await this.connect('a');
    await this.connect('b');
    const lanes = Array.from({ length: AHEAD }, (_, lane) => this.append(lane));
    this.runs = [...lanes, this.useRegister('a'), this.useRegister('b')].map((run) =>
      run.catch((error: unknown) => {
        this.fault ??= error instanceof Error ? error : new Error(String(error));
      }),
    );
    await this.answers(200);
  }

  close(): void {
    this.isOver = true;
    for (const client of this.clients.values()) client.close();
  }

  insistOnClients(): void {
    insist(this.fault === null, `a client: ${this.fault?.message}`);
  }

  /** Waits for so many further answers. */
  async answers(count: number): Promise<void> {
    const wanted = this.answered + count;
    await until('answers', () => this.fault !== null || this.answered >= wanted, ANSWER_MS);
    this.insistOnClients();
  }

  /** While `cause` runs, connections may end; then they are made again. */
  async outlive(cause: () => Promise<void>): Promise<void> {
    let restore: () => void = () => undefined;
    this.outage = new Promise((resolve) => {
      restore = resolve;
    });
    await cause();
    for (const client of this.clients.values()) client.close();
    for (const name of NAMES) await this.connect(name);
    this.outage = null;
    restore();
  }

  /** The longest time without an answer since a moment. */
  longestPauseSince(sinceMs: number): number {
    let last = sinceMs;
    let longest = 0;
    const times = [...this.appends.slice(-RECENT), ...this.uses.slice(-RECENT)]
      .map(({ answeredMs }) => answeredMs)
      .filter((atMs) => atMs > sinceMs && atMs < Infinity)
      .sort((a, b) => a - b);
    for (const atMs of times) {
      longest = Math.max(longest, atMs - last);
      last = atMs;
    }
    return longest;
  }

  /** Ends the load; everything that was said must be true. Errors: Broken. */
  async audit(): Promise<void> {
    this.isOver = true;
    await Promise.all(this.runs);
    this.insistOnClients();
    const client = present(this.clients.get('list'), 'a client');
    const list = await client.ask('LRANGE', 'list', '0', '-1');
    const values = Array.isArray(list) ? list.map(String) : [];
    const appended = checkAppends(this.appends, values);
    insist(appended === null, `the list: ${appended}`);
    const register = checkRegister(this.uses);
    insist(register === null, `the register: ${register}`);
  }

  private async connect(name: Name): Promise<void> {
    this.clients.set(name, await RedisClient.open(this.port()));
    this.connections += 1;
  }

  /** The reply, or null if the connection ended with the switch: then it has been made again. */
  private async ask(name: Name, ...words: readonly string[]): Promise<{ reply: Reply } | null> {
    const client = present(this.clients.get(name), 'a client');
    try {
      return { reply: await client.ask(...words) };
    } catch (error) {
      if (this.outage === null || client.connection.failure === null) throw error;
      await this.outage;
      return null;
    }
  }

  private async append(lane: number): Promise<void> {
    for (let count = 0; !this.isOver; count++) {
      const value = `${lane}-${count}`;
      const sentMs = performance.now();
      const answer = await this.ask('list', 'RPUSH', 'list', value);
      if (answer === null) {
        this.appends.push({ value, sentMs, answeredMs: Infinity, length: null });
        continue;
      }
      const answeredMs = performance.now();
      const { reply: length } = answer;
      if (typeof length !== 'number') throw new Error(`RPUSH answered by ${String(length)}`);
      this.appends.push({ value, sentMs, answeredMs, length });
      this.note(sentMs, answeredMs);
    }
  }

  private async useRegister(name: 'a' | 'b'): Promise<void> {
    for (let count = 0; !this.isOver; count++) {
      const written = `${name}-${count}`;
      const sentMs = performance.now();
      const isWrite = count % 2 === 0;
      const words = isWrite ? ['SET', 'register', written] : ['GET', 'register'];
      const answer = await this.ask(name, ...words);
      const answeredMs = answer === null ? Infinity : performance.now();
      if (answer === null) {
        if (isWrite) this.uses.push({ kind: 'write', value: written, sentMs, answeredMs });
        continue;
      }
      const { reply } = answer;
      if (isWrite && reply !== 'OK') throw new Error(`SET answered by ${String(reply)}`);
      const value = isWrite ? written : typeof reply === 'string' ? reply : null;
      this.uses.push({ kind: isWrite ? 'write' : 'read', value, sentMs, answeredMs });
      this.note(sentMs, answeredMs);
    }
  }

  private note(sentMs: number, answeredMs: number): void {
    if (this.latenciesMs.length < LATENCIES_MAX) this.latenciesMs.push(answeredMs - sentMs);
  }
}
