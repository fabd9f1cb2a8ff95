/**
 * A node as a child process, watched through its journal: for the demonstration and the tests.
 */

import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { Client } from '@grpc/grpc-js';
import { present } from '../../lib/base/assert.js';
import { LockstepError } from '../../lib/base/error.js';
import { askStatus } from '../../lib/node/primary-finder.js';
import { clientTarget } from '../../lib/rpc/client.js';
import type { GetStatusResponse } from '../../lib/rpc/generated/lockstep/v1/machine.js';

/** A condition that takes longer than this on a busy machine will not come. */
const PATIENCE_MS = 60_000;

const ANSWER_MS = 15_000;

/** Nodes that would outlive this process; whoever starts them ends them, however it ends itself. */
const living = new Set<ChildProcess>();

process.on('exit', () => {
  for (const child of living) child.kill('SIGKILL');
});

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
    if (Date.now() > endMs) throw new LockstepError('IO', `waited in vain: ${what}`);
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

  /** `args` must ask for the journal as JSON; `inside` is a command that runs another. */
  constructor(script: string, args: readonly string[], inside: readonly string[] = []) {
    // As a user starts it. With source maps the first error of a broken connection takes a tenth of
    // a second to be made, and a backup learns that much later of its primary's death.
    const [program = process.execPath, ...words] = [...inside, process.execPath, script, ...args];
    this.child = spawn(program, words, { stdio: ['ignore', 'ignore', 'pipe'] });
    living.add(this.child);
    this.exited = once(this.child, 'exit').then(([code]: unknown[]) => {
      living.delete(this.child);
      return typeof code === 'number' ? code : null;
    });
    const lines = createInterface({ input: present(this.child.stderr, 'stderr of a node') });
    lines.on('line', (line) => {
      const entry: unknown = line.startsWith('{') ? JSON.parse(line) : null;
      if (isJournalLine(entry)) this.journal.push(entry);
      else this.stderr.push(line);
    });
  }

  /** The first journal line that fits, now or later; fails if the process ends without it. */
  async heard(event: string): Promise<JournalLine> {
    return until(`${event} in the journal`, () => {
      const found = this.journal.find((line) => line.event === event);
      if (found === undefined && this.child.exitCode !== null) {
        const words = this.stderr.join('\n');
        throw new LockstepError('IO', `the node ended before "${event}": ${words}`);
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
    return askStatus(this.client, ANSWER_MS);
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
