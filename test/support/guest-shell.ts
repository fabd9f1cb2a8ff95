/**
 * The shell on a Debian guest's console, told what to run line by line.
 */

import { ConsoleSession } from '../../lib/node/console-session.js';
import { until } from '../../tools/demo/node-process.js';

const BOOT_LIMIT_MS = 300_000;
const WORK_LIMIT_MS = 120_000;

export class GuestShell {
  private readonly session: ConsoleSession;
  private text = '';
  private failure: Error | null = null;
  private asked = 0;

  private constructor(addresses: readonly string[]) {
    this.session = new ConsoleSession({
      addresses,
      events: {
        onOutput: (bytes) => {
          this.text += Buffer.from(bytes).toString('latin1');
        },
        onFailure: (error) => {
          this.failure = error;
        },
      },
    });
    this.session.start();
  }

  /** Resolves when the guest has booted, to a shell that does not echo. */
  static async open(addresses: readonly string[]): Promise<GuestShell> {
    const shell = new GuestShell(addresses);
    try {
      await shell.said(/lockstep: shell begins[^]*\n# /, BOOT_LIMIT_MS);
      await shell.run("stty -echo; dmesg -n 1; PS1=''");
      return shell;
    } catch (error) {
      shell.close();
      throw error;
    }
  }

  /** A shell for the time of `work`; what it has begun goes on. */
  static async use(
    addresses: readonly string[],
    work: (shell: GuestShell) => Promise<void>,
  ): Promise<void> {
    const shell = await GuestShell.open(addresses);
    try {
      await work(shell);
    } finally {
      shell.close();
    }
  }

  /** Has the shell run a line, and waits for its end. */
  async run(line: string): Promise<void> {
    this.asked += 1;
    this.text = '';
    const sum = this.asked * 7;
    this.session.write(Buffer.from(`${line}; echo done $((${this.asked} * 7))\n`));
    await this.said(new RegExp(`^done ${sum}\\r?$`, 'm'), WORK_LIMIT_MS);
  }

  /** Has the shell run a program that goes on, and tells it a first line. Nothing runs after it. */
  async hand(line: string, input: string, answer: RegExp): Promise<void> {
    this.text = '';
    this.session.write(Buffer.from(`${line}\n${input}\n`));
    await this.said(answer, WORK_LIMIT_MS);
  }

  /** Has the shell begin something that goes on by itself. */
  async begin(line: string): Promise<void> {
    await this.run(`(${line}) & :`);
  }

  close(): void {
    this.session.close();
  }

  private async said(what: RegExp, limitMs: number): Promise<void> {
    const isSaid = (): boolean => {
      if (this.failure !== null) throw this.failure;
      return what.test(this.text);
    };
    await until(`${what} on the console`, isSaid, limitMs);
  }
}
