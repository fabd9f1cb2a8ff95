/**
 * The nodes of a campaign as real processes, in one folder, with one arbiter: started, looked up,
 * cleared away. It knows nothing of kills.
 */

import { once } from 'node:events';
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { present } from '../../lib/base/assert.js';
import { LockstepError } from '../../lib/base/error.js';
import { Protection, type GetStatusResponse } from '../../lib/rpc/generated/lockstep/v1/machine.js';
import { NodeProcess, until } from '../../tools/demo/node-process.js';
import {
  keepTemporaryFolder,
  makeTemporaryFolder,
  removeTemporaryFolder,
} from './temporary-folder.js';

export const LOCKSTEP = fileURLToPath(new URL('../../tools/lockstep.js', import.meta.url));
const LEDGER = fileURLToPath(new URL('../../../guest/ledger.elf', import.meta.url));

export const LEDGER_FLAGS: readonly string[] = [
  ...['--kernel', LEDGER, '--bios', 'none', '--memory', '16M'],
];

/** Time for a process that is ending to end. */
const LAST_WORDS_MS = 2_000;

export class Fleet {
  readonly folder = makeTemporaryFolder('campaign');
  readonly arbiter = join(this.folder, 'arbiter');
  private readonly machine: readonly string[];
  private readonly arbiterTarget: string;
  private readonly nodes: NodeProcess[] = [];
  private readonly stateDirs = new Map<NodeProcess, string>();

  /**
   * `machine` are the flags that all nodes share; `arbiter` is what `--arbiter` says, by default a
   * directory of the fleet.
   */
  constructor(machine: readonly string[], arbiter?: string) {
    this.machine = machine;
    mkdirSync(this.arbiter);
    this.arbiterTarget = arbiter ?? `file:${this.arbiter}`;
  }

  primary(...flags: string[]): NodeProcess {
    return this.start('primary', flags);
  }

  async backup(of: readonly NodeProcess[], ...flags: string[]): Promise<NodeProcess> {
    const addresses = await Promise.all(of.map((node) => node.address()));
    return this.start('backup', ['--connect', addresses.join(','), ...flags]);
  }

  /** A backup that looks for its primary elsewhere than where it is, as at a proxy. */
  backupAt(address: string, ...flags: string[]): NodeProcess {
    return this.start('backup', ['--connect', address, ...flags]);
  }

  /** A primary in the state directory of a node that has ended. */
  primaryAgain(node: NodeProcess): NodeProcess {
    return this.start('primary', [], this.stateDir(node));
  }

  stateDir(node: NodeProcess): string {
    return present(this.stateDirs.get(node), 'state directory of a node');
  }

  /** The log that a node writes now, or wrote last. */
  log(node: NodeProcess): string {
    const stateDir = this.stateDir(node);
    const numbers = readdirSync(stateDir)
      .map((name) => Number(/^log-(\d+)$/.exec(name)?.[1] ?? '0'))
      .sort((a, b) => b - a);
    return join(stateDir, `log-${numbers[0] ?? 0}`);
  }

  /** Deletes what a node that has ended leaves behind. */
  forget(node: NodeProcess): void {
    const stateDir = this.stateDirs.get(node);
    if (stateDir !== undefined) rmSync(stateDir, { recursive: true, force: true });
  }

  /** Kills every node; the folder stays where somebody wants to look at it. */
  async close(keep = false): Promise<void> {
    if (keep) this.writeJournals();
    await Promise.all(this.nodes.map((node) => node.kill()));
    if (keep) keepTemporaryFolder(this.folder);
    else removeTemporaryFolder(this.folder);
  }

  private start(
    role: string,
    flags: readonly string[],
    stateDir = join(this.folder, `node-${this.nodes.length + 1}`),
  ): NodeProcess {
    const pair = ['--arbiter', this.arbiterTarget, '--state-dir', stateDir, '--json'];
    const node = new NodeProcess(LOCKSTEP, [role, ...pair, ...this.machine, ...flags]);
    this.nodes.push(node);
    this.stateDirs.set(node, stateDir);
    return node;
  }

  /** What the nodes said of themselves, beside their logs: for whoever looks for a fault. */
  private writeJournals(): void {
    for (const [index, node] of this.nodes.entries()) {
      const lines = [...node.journal.map((line) => JSON.stringify(line)), ...node.stderr];
      writeFileSync(join(this.folder, `node-${index + 1}.journal`), `${lines.join('\n')}\n`);
    }
  }
}

/** Waits until a primary says that a backup protects it. */
export function untilProtected(
  primary: NodeProcess,
  patienceMs?: number,
): Promise<GetStatusResponse> {
  const isProtected = async (): Promise<GetStatusResponse | null> => {
    const status = await statusOf(primary);
    return status.protection === Protection.PROTECTED ? status : null;
  };
  return until('protection', isProtected, patienceMs);
}

/** The answer of a node, or, if its process has ended, its last words as an error. */
export async function statusOf(node: NodeProcess): Promise<GetStatusResponse> {
  try {
    return await node.status();
  } catch (error) {
    // A process closes its ports some time before it ends.
    await Promise.race([once(node.child, 'exit'), delay(LAST_WORDS_MS)]);
    if (node.child.exitCode === null) throw error;
    const words = node.stderr.join('\n');
    throw new LockstepError('IO', `a node has ended with ${node.child.exitCode}: ${words}`);
  }
}
