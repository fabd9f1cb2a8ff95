/**
 * A client of a shell on the console of Debian: it types a loop that counts the lines it reads,
 * and then sends numbered lines without pause.
 *
 * The loop never deduplicates: "A NUMBER COUNT" with another count than the number shows a line
 * that was lost, doubled or reordered.
 */

import { performance } from 'node:perf_hooks';
import { ConsoleSession } from '../../lib/node/console-session.js';
import type { Answer, TransactionClient } from './kill-run.js';

const AHEAD = 4;
const LOOP = 'stty -echo; n=0; echo LOOP; while read -r x; do n=$((n+1)); echo "A $x $n"; done\n';

export class ShellClient implements TransactionClient {
  answered = 0;
  fault: string | null = null;
  private readonly session: ConsoleSession;
  private readonly onAnswer: (answer: Answer) => void;
  private readonly sentAtMs = new Map<number, number>();
  private isRunning = false;
  private isLooping = false;
  private hasTyped = false;
  private next = 1;
  private rest = '';
  private seen = '';

  constructor(addresses: readonly string[], onAnswer: (answer: Answer) => void) {
    this.onAnswer = onAnswer;
    this.session = new ConsoleSession({
      addresses,
      events: {
        onOutput: (bytes, epoch) => this.take(bytes, epoch),
        onFailure: (error) => {
          this.fault ??= error.message;
        },
      },
    });
    this.session.start();
  }

  get isQuiet(): boolean {
    return this.sentAtMs.size === 0;
  }

  run(): void {
    this.isRunning = true;
    this.send();
  }

  pause(): void {
    this.isRunning = false;
  }

  burst(): void {
    // The transactions are all that this guest says.
  }

  check(): Promise<void> {
    return Promise.resolve();
  }

  close(): void {
    this.isRunning = false;
    this.session.close();
  }

  private take(bytes: Uint8Array, epoch: bigint): void {
    const text = Buffer.from(bytes).toString('latin1');
    if (!this.hasTyped) {
      this.seen = (this.seen + text).slice(-4096);
      if (!/lockstep: shell begins[^]*\n# /.test(this.seen)) return;
      this.hasTyped = true;
      this.session.write(Buffer.from(LOOP));
      return;
    }
    const lines = (this.rest + text).split(/\r?\n/);
    this.rest = lines.pop() ?? '';
    for (const line of lines) {
      if (line === 'LOOP') this.isLooping = true;
      else if (this.isLooping && line.startsWith('A ')) this.takeAnswer(line, epoch);
    }
    this.send();
  }

  private takeAnswer(line: string, epoch: bigint): void {
    const number = this.answered + 1;
    const expected = `A ${number} ${number}`;
    if (line !== expected) {
      this.fault ??= `the shell says "${line}", expected "${expected}"`;
      this.isRunning = false;
      return;
    }
    this.answered = number;
    const atMs = performance.now();
    const latencyMs = atMs - (this.sentAtMs.get(number) ?? atMs);
    this.sentAtMs.delete(number);
    this.onAnswer({ atMs, latencyMs, epoch });
  }

  private send(): void {
    while (this.isRunning && this.isLooping && this.sentAtMs.size < AHEAD) {
      const number = this.next++;
      this.sentAtMs.set(number, performance.now());
      this.session.write(Buffer.from(`${number}\n`));
    }
  }
}
