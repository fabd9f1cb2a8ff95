/**
 * Strikes at a pair under Debian's own redis-server: clients on connections that are never made
 * again append and read without pause (redis-load.ts), and everything they were told is checked.
 *
 *   clients --- switch --- primary (Debian 13, redis-server)
 *                 |           |  a proxy, where something is to be cut
 *                 +-------- backup
 *
 * A strike (redis-strikes.ts) comes under load, while the primary says that it is protected; then
 * a new backup joins.
 */

import { performance } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { present } from '../../lib/base/assert.js';
import type { DebianImage } from '../../lib/host/image/debian-image.js';
import type { NodeProcess } from '../../tools/demo/node-process.js';
import { directoryArbiter, etcdArbiter, type CampaignArbiter } from './campaign-arbiter.js';
import { insist } from './campaign-checks.js';
import { Fleet, untilProtected } from './campaign-fleet.js';
import { CuttableProxy } from './cuttable-proxy.js';
import type { EtcdCluster } from './etcd.js';
import { startSwitch, type SwitchProcess } from './network-pair.js';
import { Random } from './random.js';
import { REDIS_PORT, redisFlags } from './redis-image.js';
import { RedisLoad } from './redis-load.js';
import { STRIKES, type StrikeName } from './redis-strikes.js';

/** As in campaign-kills.ts: a killed process shows by its closed stream. */
const PATIENCE = ['--suspect-ms', '10000'] as const;
/** A machine of 256 MiB is copied, on a host that has other work. */
const JOIN_MS = 300_000;

export interface StrikeRecord {
  readonly number: number;
  readonly name: StrikeName;
  /** The longest time without an answer since the strike. */
  readonly pauseMs: number;
  /** Appends a second in the load before the strike. */
  readonly rate: number;
  readonly answered: number;
}

export interface RedisCampaignOptions {
  readonly image: DebianImage;
  readonly seed: number;
  /** Taken in turn. */
  readonly strikes: readonly [StrikeName, ...StrikeName[]];
  readonly etcd?: EtcdCluster | null;
  readonly loadMs: number;
  /** Appends a second, at least, before each strike. */
  readonly minRate: number;
  readonly onStrike?: (strike: StrikeRecord) => void;
}

interface Pair {
  readonly primary: NodeProcess;
  readonly backup: NodeProcess;
  readonly proxy: CuttableProxy | null;
}

export class RedisCampaign {
  readonly records: StrikeRecord[] = [];
  readonly load = new RedisLoad(() => this.port);
  fleet: Fleet | null = null;
  private readonly options: RedisCampaignOptions;
  private readonly random: Random;
  private readonly proxies: CuttableProxy[] = [];
  private readonly needsProxy: boolean;
  private arbiter: CampaignArbiter | null = null;
  private network: SwitchProcess | null = null;
  private pair: Pair | null = null;

  constructor(options: RedisCampaignOptions) {
    this.options = options;
    this.random = new Random(options.seed);
    this.needsProxy = options.strikes.some((name) => name.startsWith('cut'));
  }

  /** The port of the host that leads to redis. */
  get port(): number {
    return present(this.network?.ports[0], 'a forwarded port');
  }

  async start(): Promise<void> {
    const { image, strikes, etcd = null } = this.options;
    const isSilent = strikes.some((name) => STRIKES[name].isSilent);
    // The switch stands in the fleet's folder, whose flags name the switch: so the folder is first.
    const flags = [...redisFlags(image), ...(isSilent ? [] : PATIENCE), '--net'];
    const fleet = new Fleet(flags, etcd?.target);
    this.fleet = fleet;
    this.arbiter = etcd === null ? directoryArbiter(fleet.arbiter) : etcdArbiter(etcd);
    this.network = await startSwitch(fleet.folder, [REDIS_PORT]);
    flags.push(this.network.target);
    const primary = fleet.primary();
    // The backup joins a machine that runs, as after every strike.
    await this.load.open();
    this.pair = await this.protect(primary);
    await this.load.start();
  }

  /** Errors: Broken, at the first promise that does not hold. */
  async run(strikes: number): Promise<void> {
    for (let number = 1; number <= strikes; number++) await this.strike(number);
    await this.load.audit();
  }

  async close(keep: boolean): Promise<void> {
    this.load.close();
    await this.network?.process.kill();
    await this.fleet?.close(keep);
    for (const proxy of this.proxies) proxy.close();
  }

  private async strike(number: number): Promise<void> {
    const { strikes } = this.options;
    const name = strikes[(number - 1) % strikes.length] ?? strikes[0];
    const rate = await this.loadBefore(number);
    const pair = present(this.pair, 'a pair');
    const sinceMs = performance.now();
    const alone = await STRIKES[name].run({
      ...pair,
      fleet: present(this.fleet, 'a fleet'),
      arbiter: present(this.arbiter, 'an arbiter'),
      load: this.load,
      protect: async (primary) => (await this.protect(primary)).backup,
      renewSwitch: () => this.renewSwitch(),
    });
    const pauseMs = this.load.longestPauseSince(sinceMs);
    const record = { number, name, pauseMs, rate, answered: this.load.answered };
    this.records.push(record);
    this.options.onStrike?.(record);
    if (alone !== null) this.pair = await this.protect(alone);
    await this.load.answers(20);
  }

  /** Lets the clients work, and gives the rate of their appends, a second. */
  private async loadBefore(number: number): Promise<number> {
    const { loadMs, minRate } = this.options;
    const before = this.load.appended;
    const startMs = performance.now();
    await delay(loadMs + this.random.below(loadMs));
    const rate = ((this.load.appended - before) * 1000) / (performance.now() - startMs);
    this.load.insistOnClients();
    insist(
      rate >= minRate,
      `${rate.toFixed(0)} appends a second before strike ${number}, least ${minRate}`,
    );
    return rate;
  }

  private async protect(primary: NodeProcess): Promise<Pair> {
    const fleet = present(this.fleet, 'a fleet');
    let proxy: CuttableProxy | null = null;
    if (this.needsProxy) {
      proxy = await CuttableProxy.open(await primary.address());
      this.proxies.push(proxy);
    }
    const backup = proxy === null ? await fleet.backup([primary]) : fleet.backupAt(proxy.address);
    await untilProtected(primary, JOIN_MS);
    return { primary, backup, proxy };
  }

  private async renewSwitch(): Promise<void> {
    const { process, ports } = present(this.network, 'a switch');
    await process.kill();
    const { folder } = present(this.fleet, 'a fleet');
    this.network = await startSwitch(folder, [REDIS_PORT], ports);
  }
}
