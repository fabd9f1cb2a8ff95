/**
 * A chain of kills on one machine that never stops: each kill is followed by a takeover, a new
 * backup and more transactions. Shared by the kill tests and the figures.
 *
 * Kills come at a random moment, while output is held back, while the backup lags, and in the
 * middle of a burst of log. A kill is dealt only to a protected primary: an unprotected one has
 * promised nothing.
 */

import { performance } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { Protection } from '../../lib/rpc/generated/lockstep/v1/machine.js';
import { LedgerClient } from '../../tools/demo/ledger.js';
import { until, type NodeProcess, type PairFixture } from './pair.js';
import type { Random } from './random.js';

export const KILL_MOMENTS = ['random', 'output-held', 'backup-lagging', 'mid-burst'] as const;
export type KillMoment = (typeof KILL_MOMENTS)[number];

export interface Kill {
  readonly moment: KillMoment;
  /** From the kill to the first answer of the new primary. */
  readonly gapMs: number;
}

export interface KillRun {
  readonly kills: readonly Kill[];
  readonly answered: number;
  /** Transactions a second over the whole run, outages included. */
  readonly rate: number;
  readonly latenciesMs: readonly number[];
  /** What went wrong; null if every answer was as it must be. */
  readonly fault: string | null;
}

/** When a transaction was answered, how long after it was sent, and in which epoch. */
export interface Answer {
  readonly atMs: number;
  readonly latencyMs: number;
  readonly epoch: bigint;
}

/** Runs numbered transactions without pause, and compares every answer with what it must be. */
export interface TransactionClient {
  readonly answered: number;
  readonly fault: string | null;
  readonly isQuiet: boolean;
  run(): void;
  pause(): void;
  /** Makes the guest say a lot at once, beside the transactions. */
  burst(): void;
  /** Compares the guest's own account with the client's; throws if they differ. */
  check(): Promise<void>;
  close(): void;
}

export type ClientMaker = (
  addresses: readonly string[],
  onAnswer: (answer: Answer) => void,
) => TransactionClient;

export class KillChain {
  private readonly fixture: PairFixture;
  private readonly random: Random;
  private readonly kills: Kill[] = [];
  private readonly latenciesMs: number[] = [];
  private lastAnswer: { atMs: number; epoch: bigint } = { atMs: 0, epoch: 0n };

  private readonly bootMs: number;

  /** `bootMs` is how long the guest may take until it answers for the first time. */
  constructor(fixture: PairFixture, random: Random, options = { bootMs: 30_000 }) {
    this.fixture = fixture;
    this.random = random;
    this.bootMs = options.bootMs;
  }

  async run(count: number, makeClient: ClientMaker = ledgerClient): Promise<KillRun> {
    const { fixture } = this;
    let { primary, backup } = await fixture.pair();
    const addresses = [await primary.address(), await backup.address()];
    const client = makeClient(addresses, ({ atMs, epoch, latencyMs }) => {
      this.lastAnswer = { atMs, epoch };
      this.latenciesMs.push(latencyMs);
    });
    const startMs = performance.now();
    client.run();
    try {
      await until('the first answer', () => client.answered > 0, this.bootMs);
      for (let kill = 0; kill < count && client.fault === null; kill += 1) {
        const moment = KILL_MOMENTS[kill % KILL_MOMENTS.length] ?? 'random';
        await this.killAt(moment, client, primary, backup);
        primary = backup;
        backup = await fixture.backup([primary]);
        await isProtected(primary);
      }
      await this.settle(client);
    } finally {
      client.close();
    }
    const seconds = (performance.now() - startMs) / 1000;
    const { answered, fault } = client;
    const { kills, latenciesMs } = this;
    return { kills, answered, rate: answered / seconds, latenciesMs, fault };
  }

  private async killAt(
    moment: KillMoment,
    client: TransactionClient,
    primary: NodeProcess,
    backup: NodeProcess,
  ): Promise<void> {
    await isProtected(primary);
    const before = client.answered;
    await until('load', () => client.answered > before + 20 || client.fault !== null);
    switch (moment) {
      case 'random':
        await delay(this.random.below(200));
        break;
      case 'output-held':
        // Acknowledgements stop for less than anybody's patience; then output waits.
        backup.signal('SIGSTOP');
        await delay(20 + this.random.below(60));
        break;
      case 'backup-lagging':
        backup.signal('SIGSTOP');
        await delay(150 + this.random.below(150));
        backup.signal('SIGCONT');
        break;
      case 'mid-burst':
        client.burst();
        await delay(this.random.below(4));
    }
    const { epoch } = this.lastAnswer;
    const killMs = performance.now();
    primary.signal('SIGKILL');
    backup.signal('SIGCONT');
    await until('the takeover', () => this.lastAnswer.epoch > epoch || client.fault !== null);
    this.kills.push({ moment, gapMs: this.lastAnswer.atMs - killMs });
  }

  /** Compares the ledger's own account with the client's. */
  private async settle(client: TransactionClient): Promise<void> {
    client.pause();
    await until('the last answers', () => client.isQuiet || client.fault !== null);
    if (client.fault === null) await client.check();
  }
}

/** Waits until `node` is a primary that a backup protects. */
export async function isProtected(node: NodeProcess): Promise<void> {
  await until('protection', async () => {
    return (await node.status()).protection === Protection.PROTECTED;
  });
}

/** A client of the embedded ledger. */
export const ledgerClient: ClientMaker = (addresses, onAnswer) => {
  const ledger = new LedgerClient(addresses, 16, {
    onAnswer,
    onAttached: () => undefined,
    onDetached: () => undefined,
  });
  return {
    get answered() {
      return ledger.answered;
    },
    get fault() {
      return ledger.fault;
    },
    get isQuiet() {
      return ledger.isQuiet;
    },
    run: () => ledger.run(),
    pause: () => ledger.pause(),
    burst: () => {
      for (let line = 0; line < 40; line += 1) ledger.say('S');
    },
    check: async () => {
      ledger.say('V');
      const journal = await until('the journal', () => ledger.reply('V') ?? ledger.fault);
      if (!journal.endsWith(' 0')) throw new Error(`the ledger's journal is damaged: ${journal}`);
    },
    close: () => ledger.close(),
  };
};

/** Flags and script of nodes that run the embedded ledger on the real machine. */
export const LEDGER_MACHINE = {
  script: new URL('../../tools/lockstep.js', import.meta.url).pathname,
  flags: [
    '--kernel',
    new URL('../../../guest/ledger.elf', import.meta.url).pathname,
    '--bios',
    'none',
    '--memory',
    '16M',
  ],
} as const;

export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}
