/**
 * Nodes of a pair as real processes, for end-to-end tests: started, watched through their journal,
 * killed, frozen, and always cleaned up.
 *
 * A test waits on what a node says or answers, never on time. Ports are chosen by the nodes;
 * folders are the test's own.
 */

import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Client } from '@grpc/grpc-js';
import type { ExecutionContext } from 'ava';
import { assert, present } from '../../lib/base/assert.js';
import { ConsoleSession } from '../../lib/node/console-session.js';
import { askStatus } from '../../lib/node/primary-finder.js';
import { clientTarget } from '../../lib/rpc/client.js';
import type { GetStatusResponse } from '../../lib/rpc/generated/lockstep/v1/machine.js';

const TOY_NODE = new URL('./toy-node.js', import.meta.url).pathname;
/** A condition that takes longer than this on a busy machine will not come. */
const PATIENCE_MS = 30_000;

export interface JournalLine {
  readonly event: string;
  readonly [field: string]: unknown;
}

/** Resolves when `condition` gives something; polls, because most conditions live elsewhere. */
export async function until<T>(
  what: string,
  condition: () => T | null | false | undefined | Promise<T | null | false | undefined>,
  patienceMs = PATIENCE_MS,
): Promise<T> {
  const endMs = Date.now() + patienceMs;
  for (;;) {
    const result = await condition();
    if (result !== null && result !== false && result !== undefined) return result;
    if (Date.now() > endMs) throw new Error(`waited in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

export class NodeProcess {
  readonly journal: JournalLine[] = [];
  /** What is not journal: the last words of a process that failed. */
  readonly stderr: string[] = [];
  readonly child: ChildProcess;
  private readonly exited: Promise<number | null>;
  private client: Client | null = null;

  constructor(script: string, args: readonly string[]) {
    this.child = spawn(process.execPath, ['--enable-source-maps', script, ...args], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    this.exited = once(this.child, 'exit').then(([code]: unknown[]) =>
      typeof code === 'number' ? code : null,
    );
    const lines = createInterface({ input: present(this.child.stderr, 'stderr of a node') });
    lines.on('line', (line) => {
      const entry: unknown = line.startsWith('{') ? JSON.parse(line) : null;
      if (isJournalLine(entry)) this.journal.push(entry);
      else this.stderr.push(line);
    });
  }

  /** The first journal line that fits, now or later; fails if the process ends without it. */
  async heard(event: string, after = 0): Promise<JournalLine> {
    return until(`${event} in the journal`, () => {
      const found = this.journal.slice(after).find((line) => line.event === event);
      if (found === undefined && this.child.exitCode !== null) {
        throw new Error(`the node ended before "${event}": ${this.stderr.join('\n')}`);
      }
      return found;
    });
  }

  async address(): Promise<string> {
    return String((await this.heard('ready'))['listen']);
  }

  async status(): Promise<GetStatusResponse> {
    const address = await this.address();
    if (this.client === null) {
      const { target, credentials, options } = clientTarget(address);
      this.client = new Client(target, credentials, options);
    }
    return askStatus(this.client, 2_000);
  }

  signal(name: 'SIGKILL' | 'SIGSTOP' | 'SIGCONT' | 'SIGTERM'): void {
    this.child.kill(name);
  }

  /** Exit status, null if a signal ended it. */
  async exit(): Promise<number | null> {
    const timeout = setTimeout(() => this.child.kill('SIGKILL'), PATIENCE_MS);
    const status = await this.exited;
    clearTimeout(timeout);
    return status;
  }

  async kill(): Promise<void> {
    this.child.kill('SIGCONT');
    this.child.kill('SIGKILL');
    this.client?.close();
    await this.exited;
  }
}

function isJournalLine(value: unknown): value is JournalLine {
  return typeof value === 'object' && value !== null && 'event' in value;
}

/** Everything that one test starts, in a folder of its own. */
export class PairFixture {
  readonly folder = mkdtempSync(join(tmpdir(), 'lockstep-pair-'));
  readonly arbiter = join(this.folder, 'arbiter');
  private readonly nodes: NodeProcess[] = [];
  private readonly consoles: ConsoleSession[] = [];
  private readonly script: string;
  private readonly machine: readonly string[];

  /** `machine` are the flags of the machine; `script` starts a node, the toy one by default. */
  constructor(t: ExecutionContext, script = TOY_NODE, machine: readonly string[] = []) {
    this.script = script;
    this.machine = machine;
    mkdirSync(this.arbiter);
    t.teardown(() => this.close());
  }

  primary(...flags: string[]): NodeProcess {
    return this.start('primary', flags);
  }

  async backup(of: readonly NodeProcess[], ...flags: string[]): Promise<NodeProcess> {
    const addresses = await Promise.all(of.map((node) => node.address()));
    return this.start('backup', ['--connect', addresses.join(','), ...flags]);
  }

  /** A primary and a backup that protects it. */
  async pair(...flags: string[]): Promise<{ primary: NodeProcess; backup: NodeProcess }> {
    const primary = this.primary(...flags);
    const backup = await this.backup([primary], ...flags);
    await primary.heard('protecting -> protected');
    return { primary, backup };
  }

  private start(role: string, flags: readonly string[]): NodeProcess {
    const number = this.nodes.length + 1;
    const node = new NodeProcess(this.script, [
      role,
      ...['--arbiter', `file:${this.arbiter}`, '--state-dir', join(this.folder, `node-${number}`)],
      ...['--json', ...this.machine, ...flags],
    ]);
    this.nodes.push(node);
    return node;
  }

  async console(nodes: readonly NodeProcess[], write = true): Promise<ConsoleLog> {
    const addresses = await Promise.all(nodes.map((node) => node.address()));
    const log = new ConsoleLog(addresses, write);
    this.consoles.push(log.session);
    return log;
  }

  private async close(): Promise<void> {
    for (const session of this.consoles) session.close();
    await Promise.all(this.nodes.map((node) => node.kill()));
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** A console client that keeps everything it is given. */
export class ConsoleLog {
  readonly session: ConsoleSession;
  /** Complete lines of output. */
  readonly lines: string[] = [];
  readonly epochs: bigint[] = [];
  failure: Error | null = null;
  power: string | null = null;
  attached = 0;
  bytes = 0;
  private rest = '';

  constructor(addresses: readonly string[], write: boolean) {
    this.session = new ConsoleSession({
      addresses,
      write,
      events: {
        onOutput: (bytes, epoch) => this.take(bytes, epoch),
        onAttached: () => {
          this.attached += 1;
        },
        onPower: (cause) => {
          this.power = cause;
        },
        onFailure: (error) => {
          this.failure = error;
        },
      },
    });
    this.session.start();
  }

  send(text: string): void {
    this.session.write(Buffer.from(text));
  }

  async line(index: number): Promise<string> {
    return until(`line ${index} of the console`, () => {
      if (this.failure !== null) throw this.failure;
      return this.lines[index];
    });
  }

  private take(bytes: Uint8Array, epoch: bigint): void {
    const last = this.epochs.at(-1);
    assert(last === undefined || epoch >= last, `output of epoch ${epoch} after ${last}`);
    if (epoch !== last) this.epochs.push(epoch);
    this.bytes += bytes.length;
    const parts = (this.rest + Buffer.from(bytes).toString('latin1')).split('\n');
    this.rest = parts.pop() ?? '';
    this.lines.push(...parts);
  }
}

/** The ledger's answers to the numbers 1, 2, 3 and so on. */
export function ledgerLine(count: number): string {
  return `${count} ${count} ${(count * (count + 1)) / 2}`;
}
