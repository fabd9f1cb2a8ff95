/**
 * A console of the machine on this process's terminal or pipes.
 *
 * On a terminal keys go to the guest as they are, and Ctrl-] leaves. On a pipe the input is sent
 * to its end; then the console stays until all of it is acknowledged and the guest has been quiet
 * for a while, or until the machine ends.
 */

import type { LockstepError } from '../lib/base/error.js';
import type { InputStream } from '../lib/event/event.js';
import { ConsoleSession } from '../lib/node/console-session.js';
import { statusOfStop } from '../lib/node/stop-status.js';

const ESCAPE_BYTE = 0x1d;
export const DEFAULT_LINGER_MS = 500;
/** Input that may wait for its acknowledgement before stdin is read further. */
const MAX_UNACKED_BYTES = 64 * 1024;

export interface ConsoleTerminalOptions {
  /** Where the nodes are. */
  readonly addresses: readonly string[];
  readonly stream: InputStream;
  readonly isReadOnly: boolean;
  /** True says nothing about nodes on stderr. */
  readonly isQuiet: boolean;
  /** Quiet time after the end of piped input. */
  readonly lingerMs: number;
  /** Empty takes any machine. */
  readonly machineId: string;
  /** First byte wanted; null for the oldest that is kept. */
  readonly offset: bigint | null;
}

export class ConsoleTerminal {
  private readonly session: ConsoleSession;
  private readonly isQuiet: boolean;
  private readonly isReadOnly: boolean;
  private readonly lingerMs: number;
  private readonly isTerminal = process.stdin.isTTY;
  private inputEnded = false;
  private lastOutputMs = Date.now();
  private finish: (status: number) => void = () => undefined;
  private abort: (error: LockstepError) => void = () => undefined;

  constructor(options: ConsoleTerminalOptions) {
    const { addresses, stream, isReadOnly, isQuiet, lingerMs, machineId, offset } = options;
    this.isQuiet = isQuiet;
    this.isReadOnly = isReadOnly;
    this.lingerMs = lingerMs;
    this.session = new ConsoleSession({
      addresses,
      stream,
      write: !isReadOnly,
      machineId,
      ...(offset === null ? {} : { offset }),
      events: {
        onOutput: (bytes) => this.show(bytes),
        onInputAcked: () => this.readOn(),
        onAttached: (address, epoch) => this.say(`attached to ${address}, epoch ${epoch}`),
        onDetached: (reason) => this.say(`detached: ${reason}`),
        onPower: (cause, status) => {
          this.say(`the machine ended: ${cause}, status ${status}`);
          this.finish(statusOfStop({ cause: 'exit', status }));
        },
        onFailure: (error) => this.abort(error),
      },
    });
  }

  /** Exit status: the guest's if it ended, 0 when left. Errors: as the session's failures. */
  async run(): Promise<number> {
    const ended = new Promise<number>((resolve, reject) => {
      this.finish = resolve;
      this.abort = reject;
    });
    this.session.start();
    const idle = setInterval(() => this.leaveWhenDone(), 50);
    try {
      this.readInput();
      return await ended;
    } finally {
      clearInterval(idle);
      this.session.close();
      if (this.isTerminal) process.stdin.setRawMode(false);
      process.stdin.destroy();
    }
  }

  private readInput(): void {
    if (this.isReadOnly && !this.isTerminal) return;
    if (this.isTerminal) {
      process.stdin.setRawMode(true);
      this.say('Ctrl-] leaves');
    }
    process.stdin.on('data', (bytes: Buffer) => this.takeInput(bytes));
    process.stdin.on('end', () => {
      this.inputEnded = true;
      this.lastOutputMs = Date.now();
    });
  }

  private takeInput(bytes: Buffer): void {
    const escape = this.isTerminal ? bytes.indexOf(ESCAPE_BYTE) : -1;
    const wanted = escape < 0 ? bytes : bytes.subarray(0, escape);
    if (!this.isReadOnly && wanted.length > 0) this.session.write(new Uint8Array(wanted));
    if (escape >= 0) this.finish(0);
    else if (this.session.unackedBytes > MAX_UNACKED_BYTES) process.stdin.pause();
  }

  private readOn(): void {
    if (this.session.unackedBytes <= MAX_UNACKED_BYTES) process.stdin.resume();
  }

  private show(bytes: Uint8Array): void {
    this.lastOutputMs = Date.now();
    process.stdout.write(bytes);
  }

  private leaveWhenDone(): void {
    const quietMs = Date.now() - this.lastOutputMs;
    const isDone = this.inputEnded && this.session.unackedBytes === 0 && quietMs >= this.lingerMs;
    if (isDone) this.finish(0);
  }

  private say(text: string): void {
    if (this.isQuiet) return;
    const end = this.isTerminal ? '\r\n' : '\n';
    process.stderr.write(`${this.isTerminal ? '\r\n' : ''}[lockstep: ${text}]${end}`);
  }
}
