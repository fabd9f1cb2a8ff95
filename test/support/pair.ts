/**
 * Nodes of a pair as real processes, for end-to-end tests: started, watched through their journal,
 * killed, frozen, and always cleaned up.
 *
 * A test waits on what a node says or answers, never on time. Ports are chosen by the nodes;
 * folders are the test's own.
 */

import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { assert } from '../../lib/base/assert.js';
import { ConsoleSession } from '../../lib/node/console-session.js';
import { NodeProcess, until } from '../../tools/demo/node-process.js';

export { NodeProcess, until };

const TOY_NODE = new URL('./toy-node.js', import.meta.url).pathname;

/** A place in a pool, and the process that lives there now. */
export interface PoolHost {
  readonly address: string;
  node: NodeProcess;
  /** Starts another process there, as whoever looks after the host would. */
  start(): NodeProcess;
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
    t.teardown(() => {
      if (!t.passed) this.nodes.forEach((node, index) => t.log(`node ${index + 1}`, story(node)));
      return this.close();
    });
  }

  primary(...flags: string[]): NodeProcess {
    return this.start('primary', flags);
  }

  async backup(of: readonly NodeProcess[], ...flags: string[]): Promise<NodeProcess> {
    const addresses = await Promise.all(of.map((node) => node.address()));
    return this.start('backup', ['--connect', addresses.join(','), ...flags]);
  }

  /** `count` hosts of a pool, started at once; each knows the address of every one. */
  pool(count: number, ...flags: string[]): PoolHost[] {
    const address = (host: number): string => `unix:${join(this.folder, `host-${host}.sock`)}`;
    const all = Array.from({ length: count }, (_, host) => address(host));
    return all.map((own) => {
      const listen = ['--listen', own, '--connect', all.join(',')];
      const start = (): NodeProcess => this.start('node', [...listen, ...flags]);
      return { address: own, node: start(), start };
    });
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
    const stateDir = join(this.folder, `node-${number}`);
    const pair = ['--arbiter', `file:${this.arbiter}`, '--state-dir', stateDir, '--json'];
    const node = new NodeProcess(this.script, [role, ...pair, ...this.machine, ...flags]);
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

/** What a node did, for a test that failed. */
function story(node: NodeProcess): string {
  const lines = node.journal.map((line) => {
    const { seconds, event, detail } = line;
    return `${String(seconds)} ${event} ${typeof detail === 'string' ? detail : ''}`;
  });
  return [...lines, ...node.stderr].join('\n');
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
