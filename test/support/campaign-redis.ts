/**
 * Kills of whoever is primary under Debian's own redis-server: clients on connections that are
 * never made again append and read without pause, and everything they were told is checked.
 *
 *   switch --- primary, backup: Debian 13, redis-server
 *     |
 *     +-- one connection appends unique values to a list, several on their way at once
 *     +-- two connections write and read one register
 *
 * A kill comes under load, while the primary says that it is protected; then a new backup joins.
 */

import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { present } from '../../lib/base/assert.js';
import {
  defaultCacheFolder,
  IMAGE_NAME,
  type DebianImage,
} from '../../lib/host/image/debian-image.js';
import type { NodeProcess } from '../../tools/demo/node-process.js';
import { until } from '../../tools/demo/node-process.js';
import { insist } from './campaign-checks.js';
import { Fleet, untilProtected } from './campaign-fleet.js';
import { checkAppends, checkRegister, type Append, type RegisterUse } from './client-histories.js';
import { startSwitch, type SwitchProcess } from './network-pair.js';
import { Random } from './random.js';
import { RedisClient } from './redis-client.js';

/** Debian's redis-server and what it depends on, beside the plain image. */
export const REDIS_PACKAGES: readonly string[] = ['redis-server'];
export const REDIS_FOLDER = join(defaultCacheFolder(), `${IMAGE_NAME}-redis`);

const REDIS_PORT = 6379;
const SERVER =
  'mkdir -p /run/redis; redis-server --bind 0.0.0.0 --protected-mode no --appendonly no ' +
  '--dir /run/redis --daemonize no';
/** Appends on their way at once. */
const AHEAD = 8;
/** As in campaign-kills.ts: a killed process shows by its closed stream. */
const PATIENCE = ['--suspect-ms', '10000'] as const;
/** A machine of 256 MiB is copied, on a host that has other work. */
const JOIN_MS = 300_000;
/** An answer that takes longer than this will not come. */
const ANSWER_MS = 60_000;

export interface RedisKill {
  readonly number: number;
  /** From the kill to the next answer that any client got. */
  readonly pauseMs: number;
  /** Appends a second in the load before the kill. */
  readonly rate: number;
  readonly answered: number;
}

export interface RedisCampaignOptions {
  readonly image: DebianImage;
  readonly seed: number;
  readonly loadMs: number;
  /** Appends a second, at least, before each kill. */
  readonly minRate: number;
  readonly onKill?: (kill: RedisKill) => void;
}

export class RedisCampaign {
  readonly kills: RedisKill[] = [];
  readonly latenciesMs: number[] = [];
  fleet: Fleet | null = null;
  private readonly options: RedisCampaignOptions;
  private readonly random: Random;
  private readonly appends: Append[] = [];
  private readonly uses: RegisterUse[] = [];
  private network: SwitchProcess | null = null;
  private pair: { primary: NodeProcess; backup: NodeProcess } | null = null;
  private clients: RedisClient[] = [];
  private runs: Promise<void>[] = [];
  private fault: Error | null = null;
  private isOver = false;

  constructor(options: RedisCampaignOptions) {
    this.options = options;
    this.random = new Random(options.seed);
  }

  get answered(): number {
    return this.appends.length + this.uses.length;
  }

  /** The port of the host that leads to redis. */
  get port(): number {
    return present(this.network?.ports[0], 'a forwarded port');
  }

  async start(): Promise<void> {
    const { bios, kernel, initrd } = this.options.image;
    const append = `console=ttyS0 quiet lockstep.run="${SERVER}"`;
    const images = ['--bios', bios, '--kernel', kernel, '--initrd', initrd, '--append', append];
    // The switch stands in the fleet's folder, whose flags name the switch: so the folder is first.
    const flags = [...images, ...PATIENCE, '--net'];
    const fleet = new Fleet(flags);
    this.fleet = fleet;
    const network = await startSwitch(fleet.folder, [REDIS_PORT]);
    this.network = network;
    flags.push(network.target);
    const primary = fleet.primary();
    // The backup joins a machine that runs, as after every kill.
    const first = await RedisClient.open(this.port);
    const backup = await fleet.backup([primary]);
    await untilProtected(primary, JOIN_MS);
    this.pair = { primary, backup };
    this.clients = [first, await RedisClient.open(this.port), await RedisClient.open(this.port)];
    const [one, two, three] = this.clients;
    if (one === undefined || two === undefined || three === undefined) return;
    const lanes = Array.from({ length: AHEAD }, (_, lane) => this.append(one, lane));
    this.runs = [...lanes, this.useRegister(two, 'a'), this.useRegister(three, 'b')].map((run) =>
      run.catch((error: unknown) => {
        this.fault ??= error instanceof Error ? error : new Error(String(error));
      }),
    );
    await this.answers(200);
  }

  /** Errors: Broken, at the first promise that does not hold. */
  async run(kills: number): Promise<void> {
    for (let number = 1; number <= kills; number++) await this.kill(number);
    await this.audit();
  }

  async close(keep: boolean): Promise<void> {
    this.isOver = true;
    for (const client of this.clients) client.close();
    await this.network?.process.kill();
    await this.fleet?.close(keep);
  }

  private async kill(number: number): Promise<void> {
    const { primary, backup } = present(this.pair, 'a pair');
    const fleet = present(this.fleet, 'a fleet');
    const before = this.appends.length;
    const startMs = performance.now();
    await delay(this.options.loadMs + this.random.below(this.options.loadMs));
    const rate = ((this.appends.length - before) * 1000) / (performance.now() - startMs);
    this.insistOnClients();
    insist(
      rate >= this.options.minRate,
      `${rate.toFixed(0)} appends a second before kill ${number}, least ${this.options.minRate}`,
    );
    const killedMs = performance.now();
    primary.signal('SIGKILL');
    await primary.exit();
    // What was in the client's own sockets is not the new primary's answer.
    await backup.heard('network up');
    await this.answers(20);
    const pauseMs = this.longestPauseSince(killedMs);
    fleet.forget(primary);
    const kill = { number, pauseMs, rate, answered: this.answered };
    this.kills.push(kill);
    this.options.onKill?.(kill);
    const fresh = await fleet.backup([backup]);
    await untilProtected(backup, JOIN_MS);
    this.pair = { primary: backup, backup: fresh };
    await this.answers(20);
  }

  /** The longest time without an answer since the kill. */
  private longestPauseSince(killedMs: number): number {
    let last = killedMs;
    let longest = 0;
    const times = [...this.appends.slice(-5_000), ...this.uses.slice(-5_000)]
      .map(({ answeredMs }) => answeredMs)
      .filter((atMs) => atMs > killedMs)
      .sort((a, b) => a - b);
    for (const atMs of times) {
      longest = Math.max(longest, atMs - last);
      last = atMs;
    }
    return longest;
  }

  /** Everything is over, and everything that was said is true. */
  private async audit(): Promise<void> {
    this.isOver = true;
    await Promise.all(this.runs);
    this.insistOnClients();
    const [client] = this.clients;
    const list = await present(client, 'a client').ask('LRANGE', 'list', '0', '-1');
    const values = Array.isArray(list) ? list.map(String) : [];
    const appended = checkAppends(this.appends, values);
    insist(appended === null, `the list: ${appended}`);
    const register = checkRegister(this.uses);
    insist(register === null, `the register: ${register}`);
  }

  private insistOnClients(): void {
    insist(this.fault === null, `a client: ${this.fault?.message}`);
  }

  private async answers(count: number): Promise<void> {
    const wanted = this.answered + count;
    await until('answers', () => this.fault !== null || this.answered >= wanted, ANSWER_MS);
    this.insistOnClients();
  }

  private async append(client: RedisClient, lane: number): Promise<void> {
    for (let count = 0; !this.isOver; count++) {
      const value = `${lane}-${count}`;
      const sentMs = performance.now();
      const length = await client.ask('RPUSH', 'list', value);
      const answeredMs = performance.now();
      if (typeof length !== 'number') throw new Error(`RPUSH answered by ${String(length)}`);
      this.appends.push({ value, sentMs, answeredMs, length });
      this.note(sentMs, answeredMs);
    }
  }

  private async useRegister(client: RedisClient, name: string): Promise<void> {
    for (let count = 0; !this.isOver; count++) {
      const written = `${name}-${count}`;
      const sentMs = performance.now();
      const isWrite = count % 2 === 0;
      const reply = isWrite
        ? await client.ask('SET', 'register', written)
        : await client.ask('GET', 'register');
      const answeredMs = performance.now();
      if (isWrite && reply !== 'OK') throw new Error(`SET answered by ${String(reply)}`);
      const value = isWrite ? written : typeof reply === 'string' ? reply : null;
      this.uses.push({ kind: isWrite ? 'write' : 'read', value, sentMs, answeredMs });
      this.note(sentMs, answeredMs);
    }
  }

  private note(sentMs: number, answeredMs: number): void {
    if (this.latenciesMs.length < 1_000_000) this.latenciesMs.push(answeredMs - sentMs);
  }
}
