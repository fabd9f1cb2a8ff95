/**
 * The `lockstep` command as a child process, for end-to-end tests.
 */

import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { present } from '../../lib/base/assert.js';

export const LOCKSTEP = fileURLToPath(new URL('../../tools/lockstep.js', import.meta.url));

/** The embedded guest, beside the compiled tree. */
export const LEDGER = fileURLToPath(new URL('../../../guest/ledger.elf', import.meta.url));

export interface Outcome {
  /** Null after a signal. */
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface StartOptions {
  /** Flags of Node itself. */
  readonly nodeFlags?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
}

/** A running command; its standard input is open until `end`. */
export class LockstepProcess {
  stdout = '';
  stderr = '';
  private readonly child: ChildProcess;
  private readonly closed: Promise<unknown[]>;

  constructor(words: readonly string[], options: StartOptions = {}) {
    this.child = spawn(process.execPath, [...(options.nodeFlags ?? []), LOCKSTEP, ...words], {
      env: { ...process.env, ...options.environment },
      stdio: 'pipe',
    });
    this.closed = once(this.child, 'close');
    present(this.child.stdout, 'stdout')
      .setEncoding('utf8')
      .on('data', (text: string) => {
        this.stdout += text;
      });
    present(this.child.stderr, 'stderr')
      .setEncoding('utf8')
      .on('data', (text: string) => {
        this.stderr += text;
      });
    // A command that has ended takes no more input; its status says why.
    this.child.stdin?.on('error', () => undefined);
  }

  send(text: string): void {
    this.child.stdin?.write(text);
  }

  /** Resolves when the output has `text`; fails if the command ends before. */
  async says(text: string): Promise<void> {
    while (!this.stdout.includes(text)) {
      if (this.child.exitCode !== null || this.child.signalCode !== null) {
        throw new Error(`ended before "${text}": ${this.stdout} ${this.stderr}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  kill(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  async end(): Promise<Outcome> {
    this.child.stdin?.end();
    const [code] = await this.closed;
    const { stdout, stderr } = this;
    return { status: typeof code === 'number' ? code : null, stdout, stderr };
  }
}

/** Runs a command to its end, with `input` on its standard input. */
export function lockstep(
  words: readonly string[],
  input = '',
  options: StartOptions = {},
): Promise<Outcome> {
  const command = new LockstepProcess(words, options);
  command.send(input);
  return command.end();
}
