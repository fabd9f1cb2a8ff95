/**
 * QEMU as a second opinion: starts `qemu-system-riscv64` on a pipe, feeds its console, waits for
 * text, and never outlives the test.
 *
 * A test asks `findQemu` first and says that it is skipped where there is none. Nothing here is a
 * clock of the test: waiting ends when the text or the exit is there; the limit is only for a
 * guest that hangs.
 */

import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { bound } from './bound-process.js';

/** Root of the checkout, seen from dist/test/support. */
export const REPOSITORY = new URL('../../../', import.meta.url).pathname;

/** Absolute path of an installed program, or null. */
export async function findProgram(name: string): Promise<string | null> {
  for (const folder of (process.env['PATH'] ?? '').split(delimiter)) {
    const candidate = join(folder, name);
    try {
      await access(candidate, constants.X_OK);
      return candidate;
    } catch {
      continue;
    }
  }
  return null;
}

export function findQemu(): Promise<string | null> {
  return findProgram('qemu-system-riscv64');
}

export interface QemuExit {
  readonly status: number | null;
  /** Everything the guest wrote on its console. */
  readonly output: string;
}

const DEFAULT_LIMIT_MS = 60_000;

/** One QEMU process with the guest's first UART on our pipe. */
export class Qemu {
  private readonly child: ChildProcessWithoutNullStreams;
  private readonly exited: Promise<number | null>;
  private text = '';
  private errors = '';
  private readonly listeners = new Set<() => void>();

  /** `words` are QEMU's arguments after the machine and the console, which are given here. */
  constructor(program: string, words: readonly string[]) {
    const console = ['-display', 'none', '-monitor', 'none', '-serial', 'stdio', '-no-reboot'];
    this.child = bound(spawn(program, ['-M', 'virt', ...console, ...words]));
    this.child.stdout.on('data', (bytes: Buffer) => {
      this.text += bytes.toString('latin1');
      this.notify();
    });
    this.child.stderr.on('data', (bytes: Buffer) => {
      this.errors += bytes.toString('latin1');
    });
    // A guest that powers off while we write closes the pipe; its exit tells the test enough.
    this.child.stdin.on('error', () => this.notify());
    this.exited = new Promise((resolve, reject) => {
      this.child.once('error', reject);
      this.child.once('close', (status) => {
        resolve(status);
        this.notify();
      });
    });
  }

  get output(): string {
    return this.text;
  }

  send(text: string): void {
    this.child.stdin.write(text, 'latin1');
  }

  /** Resolves when the output matches; throws with the output when it does not within the limit. */
  async waitFor(pattern: RegExp, limitMs = DEFAULT_LIMIT_MS): Promise<RegExpExecArray> {
    const deadline = Date.now() + limitMs;
    for (;;) {
      const match = pattern.exec(this.text);
      if (match !== null) return match;
      if (this.child.exitCode !== null || Date.now() >= deadline) {
        throw new Error(`no ${pattern} in QEMU's output:\n${this.text}${this.errors}`);
      }
      await this.change(deadline - Date.now());
    }
  }

  /** Waits for the guest to power off, and kills QEMU (status null) when the limit passes. */
  async exit(limitMs = DEFAULT_LIMIT_MS): Promise<QemuExit> {
    const timer = setTimeout(() => this.child.kill('SIGKILL'), limitMs);
    const status = await this.exited;
    clearTimeout(timer);
    if (this.errors !== '') this.text += this.errors;
    return { status, output: this.text };
  }

  /** Ends the process if it still runs; safe to call always, in a teardown. */
  async stop(): Promise<void> {
    if (this.child.exitCode === null && this.child.signalCode === null) this.child.kill('SIGKILL');
    await this.exited;
  }

  private notify(): void {
    for (const listener of this.listeners) listener();
  }

  private change(limitMs: number): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.listeners.delete(done);
        resolve();
      };
      const timer = setTimeout(done, Math.max(1, limitMs));
      this.listeners.add(done);
    });
  }
}
