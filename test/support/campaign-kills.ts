/**
 * A chain of kills on one machine that never stops: each is followed by a takeover, its checks,
 * and a new backup that joins the promoted node.
 *
 *   random    at any moment under load
 *   held      the backup is stopped until output is held back for it
 *   burst     within milliseconds of many transactions sent at once
 *   lagging   the backup gets a fifth of a processor while the guest works, and at last none
 *
 * Every kill is dealt while the primary says that it is protected: so a takeover that fails also
 * shows a status that was not true.
 *
 * The client never pauses. While logs are replayed it is slowed down to a pace, which has a least
 * rate too: what it does meanwhile has to be replayed after the next kill, and a machine that is
 * as fast as ever while others replay would have every check take longer than the one before. With
 * several harts even a slow one does; then all logs are kept, and replayed after the last kill.
 */

import { performance } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { until, type NodeProcess } from '../../tools/demo/node-process.js';
import { checkConsole, checkStatus, insist, takeoverOf, type Takeover } from './campaign-checks.js';
import { CampaignClient } from './campaign-client.js';
import type { Dialect } from './campaign-dialects.js';
import { Fleet, statusOf, untilProtected } from './campaign-fleet.js';
import { checkLastLogs, checkLogs } from './campaign-logs.js';
import { Random } from './random.js';

export const KILL_KINDS = ['random', 'held', 'burst', 'lagging'] as const;
export type KillKind = (typeof KILL_KINDS)[number];

/** When logs are replayed: after each kill, after all of them, or not at all. */
export const LOG_CHECKS = ['each', 'end', 'never'] as const;
export type LogChecks = (typeof LOG_CHECKS)[number];

export interface KillRecord {
  readonly number: number;
  readonly kind: KillKind;
  readonly epoch: bigint;
  /** From the kill to the first output of the new primary, at the client. */
  readonly failoverMs: number;
  readonly takeover: Takeover;
  /** Transactions a second in the load before the kill. */
  readonly rate: number;
  /** Those while the logs were replayed after it; null where they were not. */
  readonly pacedRate: number | null;
  /** How long that took; null where they were not. */
  readonly replayMs: number | null;
  /** As the primary said right before the kill. */
  readonly heldBytes: bigint;
  readonly lagSteps: bigint;
  readonly answered: number;
}

export interface CampaignOptions {
  readonly machine: readonly string[];
  /** What the first primary goes on from; null boots. */
  readonly restore: string | null;
  readonly dialect: Dialect;
  readonly seed: number;
  /** Transactions on their way at once. */
  readonly ahead: number;
  /** Transactions a second, at least, before each kill and while logs are replayed. */
  readonly minRate: number;
  /** The client's pace while logs are replayed. */
  readonly pacedRate: number;
  /** How long the load lasts before each kill. */
  readonly loadMs: number;
  /** After each kill by default. */
  readonly logChecks?: LogChecks;
  readonly onKill?: (record: KillRecord) => void;
  /** With checks at the end: that after kill `number` held. */
  readonly onCheck?: (number: number, replayMs: number) => void;
}

/** What the logs of two nodes must agree on. */
interface OwedCheck {
  readonly dead: NodeProcess;
  readonly promoted: NodeProcess;
  readonly takeover: Takeover;
}

/**
 * A killed process shows by its closed stream; silence is for campaign-zombies.ts. With the usual
 * patience a stall of a busy host would end a reign between two kills.
 */
const PATIENCE = ['--suspect-ms', '10000'] as const;
/** Of a duty cycle that a lagging backup runs in. */
const STOPPED_MS = 40;
const RUNNING_MS = 10;
const LAG_CYCLES = 16;
/** Of the last stop; shorter than the pair's patience. */
const MIN_LAG_MS = 100;
const MAX_LAG_MS = 500;
const BURST = 100;
const ANSWERS_AFTER = 20;
const WARM_UP_ANSWERS = 300;
/** Of a load, at least: its rate is over a longer time where they take longer. */
const LOAD_ANSWERS = 20;

export class KillCampaign {
  readonly fleet: Fleet;
  readonly records: KillRecord[] = [];
  /** How long each check of logs took, in milliseconds. */
  readonly checkTimes: number[] = [];
  private readonly options: CampaignOptions;
  private readonly random: Random;
  private pair: { primary: NodeProcess; backup: NodeProcess } | null = null;
  private client: CampaignClient | null = null;
  /** Checks of logs that are left for the end. */
  private readonly owed: OwedCheck[] = [];

  constructor(options: CampaignOptions) {
    this.options = options;
    this.random = new Random(options.seed);
    this.fleet = new Fleet([...options.machine, ...PATIENCE]);
  }

  /** Starts pair and client. */
  async start(): Promise<CampaignClient> {
    const { restore, dialect, ahead } = this.options;
    const primary = this.fleet.primary(...(restore === null ? [] : ['--restore', restore]));
    const backup = await this.fleet.backup([primary]);
    await untilProtected(primary);
    this.pair = { primary, backup };
    const addresses = [await primary.address(), await backup.address()];
    const client = new CampaignClient(addresses, dialect, ahead);
    this.client = client;
    if (restore === null) await until('the greeting', () => client.reply(/^R /));
    client.run();
    // Engines and replicas start cold; the least rate is asked of a machine that runs.
    await this.answers(WARM_UP_ANSWERS);
    return client;
  }

  /** One kill of each kind in turn, in an order that the seed gives. Errors: Broken. */
  async run(kills: number): Promise<void> {
    let kinds: KillKind[] = [];
    for (let number = 1; number <= kills; number += 1) {
      if (kinds.length === 0) kinds = this.shuffled();
      await this.kill(number, kinds.pop() ?? 'random');
    }
    await this.audit();
    if (this.options.logChecks === 'never') return;
    const { primary, backup } = this.running;
    await backup.kill();
    await primary.kill();
    await this.checkOwed();
    await checkLastLogs(this.fleet, primary, backup);
  }

  async close(keep = false): Promise<void> {
    this.client?.close();
    await this.fleet.close(keep);
  }

  private get running(): { client: CampaignClient; primary: NodeProcess; backup: NodeProcess } {
    insist(this.client !== null && this.pair !== null, 'the campaign has been started');
    return { client: this.client, ...this.pair };
  }

  private shuffled(): KillKind[] {
    const rest: KillKind[] = [...KILL_KINDS];
    const order: KillKind[] = [];
    while (rest.length > 0) order.push(...rest.splice(this.random.below(rest.length), 1));
    return order;
  }

  private async kill(number: number, kind: KillKind): Promise<void> {
    const { client, primary, backup } = this.running;
    const rate = await this.load();
    const { epoch } = await untilProtected(primary);
    const isBusy = await this.prepare(kind);
    const { heldOutputBytes: heldBytes, lagSteps } = await statusOf(primary);
    if (kind === 'burst') client.burst(BURST);
    if (kind === 'random') await delay(this.random.below(300));
    if (kind === 'burst') await delay(this.random.below(6));
    const killMs = performance.now();
    primary.signal('SIGKILL');
    backup.signal('SIGCONT');
    const dawn = await until('output of the new primary', () => {
      this.insistOnSound();
      return client.dawns.find((one) => one.epoch > epoch);
    });
    insist(dawn.epoch === epoch + 1n, `epoch ${dawn.epoch} came after ${epoch}`);
    const failoverMs = dawn.atMs - killMs;
    if (isBusy) client.say(this.options.dialect.load?.idle ?? '');
    const takeover = await takeoverOf(backup);
    await checkStatus(backup, dawn.epoch);
    await checkConsole(backup, client);
    await this.answers(ANSWERS_AFTER);
    const next = await this.fleet.backup([backup]);
    await untilProtected(backup);
    const replayed = await this.replay(primary, backup, takeover);
    this.pair = { primary: backup, backup: next };
    const { answered } = client;
    const figures = { failoverMs, takeover, rate, ...replayed, heldBytes, lagSteps, answered };
    const record = { number, kind, epoch: dawn.epoch, ...figures };
    this.records.push(record);
    this.options.onKill?.(record);
  }

  private async replay(
    dead: NodeProcess,
    promoted: NodeProcess,
    takeover: Takeover,
  ): Promise<{ pacedRate: number | null; replayMs: number | null }> {
    const { logChecks = 'each' } = this.options;
    if (logChecks === 'end') this.owed.push({ dead, promoted, takeover });
    if (logChecks === 'never') this.fleet.forget(dead);
    if (logChecks !== 'each') return { pacedRate: null, replayMs: null };
    const { client } = this.running;
    client.pace(this.options.pacedRate);
    const before = client.answered;
    const startMs = performance.now();
    const replayMs = await this.checkLogs({ dead, promoted, takeover });
    const pacedRate = this.rateSince(before, startMs);
    client.pace(null);
    return { pacedRate, replayMs };
  }

  private async checkOwed(): Promise<void> {
    for (const [index, owed] of this.owed.entries()) {
      const replayMs = await this.checkLogs(owed);
      this.options.onCheck?.(index + 1, replayMs);
    }
  }

  /** Gives its time. Errors: Broken. */
  private async checkLogs({ dead, promoted, takeover }: OwedCheck): Promise<number> {
    const startMs = performance.now();
    await checkLogs(this.fleet, dead, promoted, takeover);
    const replayMs = performance.now() - startMs;
    this.checkTimes.push(replayMs);
    this.fleet.forget(dead);
    return replayMs;
  }

  /** The load before a kill: gives its rate, and insists on the least. */
  private async load(): Promise<number> {
    const { client } = this.running;
    const { loadMs } = this.options;
    const before = client.answered;
    const startMs = performance.now();
    await delay(loadMs);
    // A replica that has just joined is slow at first, and its primary waits for it.
    await this.answers(Math.max(0, before + LOAD_ANSWERS - client.answered));
    return this.rateSince(before, startMs);
  }

  private rateSince(answered: number, startMs: number): number {
    const { minRate } = this.options;
    const count = this.running.client.answered - answered;
    const rate = (count / (performance.now() - startMs)) * 1000;
    insist(rate >= minRate, `${rate.toFixed(0)} transactions a second, least is ${minRate}`);
    return rate;
  }

  /** Brings about what the kill is to meet; true if the guest was made busy for it. */
  private async prepare(kind: KillKind): Promise<boolean> {
    const { client, primary, backup } = this.running;
    switch (kind) {
      case 'random':
      case 'burst':
        return false;
      case 'held':
        backup.signal('SIGSTOP');
        await until('held output', async () => (await statusOf(primary)).heldOutputBytes > 0n);
        await delay(this.random.below(200));
        return false;
      case 'lagging': {
        const { load } = this.options.dialect;
        if (load === null) client.burst(BURST);
        else client.say(load.busy);
        for (let cycle = this.random.below(LAG_CYCLES); cycle < LAG_CYCLES; cycle += 1) {
          backup.signal('SIGSTOP');
          await delay(STOPPED_MS);
          backup.signal('SIGCONT');
          await delay(RUNNING_MS);
        }
        backup.signal('SIGSTOP');
        await delay(MIN_LAG_MS + this.random.below(MAX_LAG_MS - MIN_LAG_MS));
        return load !== null;
      }
    }
  }

  /** More answers, to transactions that the new primary was sent. */
  private async answers(count: number): Promise<void> {
    const { client } = this.running;
    const wanted = client.answered + count;
    await until('answers after the takeover', () => {
      this.insistOnSound();
      return client.answered >= wanted;
    });
  }

  private insistOnSound(): void {
    const { client } = this.running;
    insist(client.fault === null, `the client: ${client.fault ?? ''}`);
  }

  /** Everything that was sent is answered, and the guest finds its own books in order. */
  private async audit(): Promise<void> {
    const { client } = this.running;
    client.pause();
    await until('the last answers', () => {
      this.insistOnSound();
      return client.isQuiet;
    });
    const { audit } = this.options.dialect;
    if (audit === null) return;
    client.say(audit.question);
    await until('the audit', () => client.reply(audit.answer));
  }
}
