/**
 * The course of the demonstration: who is started and killed when, and what is checked.
 */

import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';
import { Protection } from '../../lib/rpc/generated/lockstep/v1/machine.js';
import { toJsonLine } from '../output.js';
import { LedgerClient, type LedgerAnswer } from './ledger.js';
import { NodeProcess, until, type JournalLine } from './node-process.js';
import { Screen } from './screen.js';

export interface DemonstrationOptions {
  readonly folder: string;
  readonly kills: number;
  /** Load before each kill and after the last. */
  readonly loadMs: number;
  /** Transactions on their way at once. */
  readonly ahead: number;
  /** Only the summary, as one JSON object. */
  readonly isJson: boolean;
}

interface Takeover {
  readonly from: string;
  readonly to: string;
  /** Kill to the first answer of the new primary, as the client saw it. */
  readonly gapMs: number;
  /** As the new primary measured it. */
  readonly arbitrateMs: number;
  readonly drainMs: number;
}

const LOCKSTEP = fileURLToPath(new URL('../lockstep.js', import.meta.url));
const LEDGER = fileURLToPath(new URL('../../../guest/ledger.elf', import.meta.url));
const LIVE_MS = 200;

export class Demonstration {
  private readonly options: DemonstrationOptions;
  private readonly screen = new Screen();
  private readonly nodes: { readonly name: string; readonly process: NodeProcess }[] = [];
  private readonly latenciesMs: number[] = [];
  private readonly takeovers: Takeover[] = [];
  private lastAnswer: LedgerAnswer | null = null;
  private client: LedgerClient | null = null;
  private waitingFor: { readonly epoch: bigint; readonly seen: (atMs: number) => void } | null =
    null;

  constructor(options: DemonstrationOptions) {
    this.options = options;
  }

  /** Exit status: 0 if everything held. */
  async run(): Promise<number> {
    const { kills, ahead } = this.options;
    this.headline();
    let primary = this.start('primary', []);
    const address = await primary.process.address();
    this.say(
      `primary ${primary.name} runs the ledger (pid ${pidOf(primary.process)}) at ${address}`,
    );
    let backup = await this.join(primary);
    const client = new LedgerClient([address, await backup.process.address()], ahead, {
      onAnswer: (answer) => this.take(answer),
      onAttached: (where, epoch) => this.say(`client attached to ${where}, epoch ${epoch}`),
      onDetached: (reason) => this.say(`client detached: ${reason}`),
    });
    this.client = client;
    client.run();
    await until('the first answer', () => client.answered > 0 || client.fault !== null);
    for (let kill = 0; kill < kills && client.fault === null; kill += 1) {
      await this.load(client);
      await this.failOver(client, primary, backup, BigInt(kill + 2));
      primary = backup;
      backup = await this.join(primary);
    }
    await this.load(client);
    const isSound = await this.check(client);
    await this.powerOff(client, [primary.process, backup.process]);
    return this.account(client, isSound);
  }

  /** Ends every process that is left. */
  killAll(): void {
    this.client?.close();
    for (const { process: node } of this.nodes) node.signal('SIGKILL');
  }

  private headline(): void {
    this.line('');
    this.line(this.screen.paint('bold', 'Lockstep: a machine that survives kill -9 of its host'));
    this.line(
      'A client runs numbered transactions on a guest that never deduplicates. Each answer',
    );
    this.line('carries count, sum and hash of all before it, so nothing can go missing unseen.');
    this.line('');
  }

  private start(
    role: 'primary' | 'backup',
    flags: readonly string[],
  ): { name: string; process: NodeProcess } {
    const name = String.fromCharCode('A'.charCodeAt(0) + (this.nodes.length % 26));
    const { folder } = this.options;
    const machine = ['--kernel', LEDGER, '--bios', 'none', '--memory', '16M'];
    const stateDir = join(folder, `node-${this.nodes.length + 1}`);
    const pair = ['--arbiter', `file:${join(folder, 'arbiter')}`, '--state-dir', stateDir];
    const args = [role, ...machine, ...pair, '--machine-id', 'demo', '--json', ...flags];
    const process = new NodeProcess(LOCKSTEP, args);
    const node = { name, process };
    this.nodes.push(node);
    return node;
  }

  /** Starts a backup and waits until it protects the primary. */
  private async join(primary: {
    name: string;
    process: NodeProcess;
  }): Promise<{ name: string; process: NodeProcess }> {
    const startMs = performance.now();
    const backup = this.start('backup', ['--connect', await primary.process.address()]);
    const address = await backup.process.address();
    this.say(`backup ${backup.name} joins (pid ${pidOf(backup.process)}) at ${address}`);
    await until('protection', async () => {
      const { protection } = await primary.process.status();
      return protection === Protection.PROTECTED;
    });
    const how = backup.process.journal.find(({ event }) => event.startsWith('greeting -> '));
    const way = how?.event.endsWith('loading') === true ? 'a snapshot of it running' : 'its log';
    const seconds = ((performance.now() - startMs) / 1000).toFixed(2);
    const state = this.screen.paint('green', 'PROTECTED');
    this.say(`${state} after ${seconds} s: ${backup.name} got ${way} and follows`);
    return backup;
  }

  private async load(client: LedgerClient): Promise<void> {
    const endMs = performance.now() + this.options.loadMs;
    const before = client.answered;
    const startMs = performance.now();
    while (performance.now() < endMs && client.fault === null) {
      await new Promise((resolve) => setTimeout(resolve, LIVE_MS));
      const rate = ((client.answered - before) / (performance.now() - startMs)) * 1000;
      this.live(
        `${client.answered} transactions answered, ${rate.toFixed(0)} a second, ` +
          `latency p50 ${percentile(this.latenciesMs, 0.5).toFixed(2)} ms`,
      );
    }
    this.say(`${client.answered} transactions answered so far`);
  }

  private async failOver(
    client: LedgerClient,
    primary: { name: string; process: NodeProcess },
    backup: { name: string; process: NodeProcess },
    epoch: bigint,
  ): Promise<void> {
    const firstAnswer = new Promise<number>((resolve) => {
      this.waitingFor = { epoch, seen: resolve };
    });
    const inFlight = this.lastAnswer?.number ?? 0;
    const killMs = performance.now();
    primary.process.signal('SIGKILL');
    this.say(
      this.screen.paint('red', `kill -9 ${pidOf(primary.process)}  (primary ${primary.name})`),
    );
    await until('the takeover', () => client.fault !== null || this.waitingFor === null);
    if (client.fault !== null) return;
    const gapMs = (await firstAnswer) - killMs;
    const phases = phasesOf(backup.process.journal);
    const names = { from: primary.name, to: backup.name };
    this.takeovers.push({ ...names, gapMs, ...phases });
    const drain = `replayed to the end of the log in ${phases.drainMs.toFixed(1)} ms`;
    this.say(`${backup.name} asked the arbiter (${phases.arbitrateMs.toFixed(1)} ms), ${drain}`);
    const gap = this.screen.paint('green', `${gapMs.toFixed(0)} ms`);
    this.say(`${gap} from the kill to the next answer; transaction ${inFlight} and on are there`);
  }

  private take(answer: LedgerAnswer): void {
    this.lastAnswer = answer;
    this.latenciesMs.push(answer.latencyMs);
    if (this.waitingFor === null || answer.epoch < this.waitingFor.epoch) return;
    this.waitingFor.seen(answer.atMs);
    this.waitingFor = null;
  }

  /** Asks the ledger for its state and lets it recompute its journal. */
  private async check(client: LedgerClient): Promise<boolean> {
    client.pause();
    await until('the last answers', () => client.isQuiet || client.fault !== null);
    if (client.fault !== null) return false;
    client.say('S');
    client.say('V');
    const state = await until('the state', () => client.reply('S') ?? client.fault);
    const journal = await until('the journal', () => client.reply('V') ?? client.fault);
    return state === `S ${client.state}` && journal.endsWith(' 0');
  }

  private async powerOff(client: LedgerClient, nodes: readonly NodeProcess[]): Promise<void> {
    client.say('X 0');
    await Promise.all(nodes.map((node) => node.exit()));
    client.close();
  }

  private account(client: LedgerClient, isSound: boolean): number {
    const isWhole = isSound && client.fault === null;
    const gaps = this.takeovers.map(({ gapMs }) => gapMs);
    const summary = {
      transactions: client.answered,
      lostOrDoubled: isWhole ? 0 : null,
      kills: this.takeovers.length,
      gapMs: gaps.map((gap) => Math.round(gap)),
      latencyMs: {
        p50: round(percentile(this.latenciesMs, 0.5)),
        p99: round(percentile(this.latenciesMs, 0.99)),
      },
      state: client.state,
      fault: client.fault,
      ok: isWhole && this.takeovers.length === this.options.kills,
    };
    if (this.options.isJson) process.stdout.write(`${toJsonLine(summary)}\n`);
    else this.show(summary);
    return summary.ok ? 0 : 1;
  }

  private show(summary: {
    readonly transactions: number;
    readonly kills: number;
    readonly gapMs: readonly number[];
    readonly latencyMs: { readonly p50: number; readonly p99: number };
    readonly state: string;
    readonly fault: string | null;
    readonly ok: boolean;
  }): void {
    const { p50, p99 } = summary.latencyMs;
    this.line('');
    this.line(`  transactions    ${summary.transactions} sent and answered, each checked`);
    this.line(`  lost, doubled   ${summary.ok ? 'none' : (summary.fault ?? 'see above')}`);
    this.line(`  ledger          ${summary.state} (count, sum, hash; recomputed by the guest)`);
    this.line(
      `  kills           ${summary.kills}, next answer after ${summary.gapMs.join(', ')} ms`,
    );
    this.line(`  latency         p50 ${p50} ms, p99 ${p99} ms, the backup's answer included`);
    this.line('');
    const verdict = summary.ok
      ? this.screen.paint('green', 'Everything held.')
      : this.screen.paint('red', 'Something did not hold.');
    this.line(`  ${verdict}`);
    this.line('');
  }

  private say(text: string): void {
    if (!this.options.isJson) this.screen.say(text);
  }

  private line(text: string): void {
    if (!this.options.isJson) this.screen.line(text);
  }

  private live(text: string): void {
    if (!this.options.isJson) this.screen.live(text);
  }
}

function pidOf(node: NodeProcess): string {
  return String(node.child.pid ?? '?');
}

/** Times between the steps of a takeover in a journal. */
function phasesOf(journal: readonly JournalLine[]): { arbitrateMs: number; drainMs: number } {
  const at = (event: string): number =>
    Number(journal.find((line) => line.event === event)?.['seconds'] ?? 0) * 1000;
  const won = at('arbitrating -> promoting');
  return {
    arbitrateMs: won - at('protecting -> arbitrating'),
    drainMs: at('promoting -> promoted') - won,
  };
}

function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
