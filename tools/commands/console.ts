/**
 * `lockstep console`: a terminal, or a pipe, on a console of the machine, wherever it runs.
 *
 * On a terminal keys go to the guest as they are, and Ctrl-] leaves. On a pipe the input is sent
 * to its end; then the console stays until all of it is acknowledged and the guest has been quiet
 * for a while, or until the machine ends.
 */

import { LockstepError } from '../../lib/base/error.js';
import { INPUT_STREAMS } from '../../lib/event/event.js';
import { ConsoleSession } from '../../lib/node/console-session.js';
import { statusOfStop } from '../../lib/node/stop-status.js';
import type { Arguments, Command } from '../command.js';

const ESCAPE_BYTE = 0x1d;
const DEFAULT_LINGER_MS = 500;
/** Input that may wait for its acknowledgement before stdin is read further. */
const MAX_UNACKED_BYTES = 64 * 1024;

export const consoleCommand: Command = {
  usage: ['console --connect ADDRESS[,ADDRESS]... [--stream NAME] [--read-only]'],
  description:
    'Attaches to a console of the machine. It finds whichever node is primary, and when that one ' +
    'dies it goes on with the next at the same byte: none is lost, none comes twice.',
  options: {
    connect: {
      type: 'string',
      value: 'A,B',
      help: 'addresses of the nodes, HOST:PORT or unix:PATH',
    },
    stream: { type: 'string', value: 'NAME', help: `${INPUT_STREAMS.join(' or ')} (uart)` },
    'machine-id': { type: 'string', value: 'NAME', help: 'refuse another machine' },
    'read-only': { type: 'boolean', help: 'only watch; any number of clients can' },
    offset: { type: 'string', value: 'N', help: 'first byte wanted (the oldest that is kept)' },
    linger: {
      type: 'string',
      value: 'TIME',
      help: `quiet time after the end of piped input (${DEFAULT_LINGER_MS}ms)`,
    },
    quiet: { type: 'boolean', short: 'q', help: 'say nothing about nodes on stderr' },
  },
  run(args: Arguments): Promise<number> {
    const addresses = args.list('connect') ?? [];
    if (addresses.length === 0) throw new LockstepError('USAGE', '--connect A,B is needed');
    return new Console(args, addresses).run();
  },
};

class Console {
  private readonly session: ConsoleSession;
  private readonly isQuiet: boolean;
  private readonly isReadOnly: boolean;
  private readonly lingerMs: number;
  private readonly isTerminal = process.stdin.isTTY;
  private inputEnded = false;
  private lastOutputMs = Date.now();
  private finish: (status: number) => void = () => undefined;
  private abort: (error: LockstepError) => void = () => undefined;

  constructor(args: Arguments, addresses: readonly string[]) {
    const stream = INPUT_STREAMS.find((name) => name === (args.text('stream') ?? 'uart'));
    if (stream === undefined) {
      throw new LockstepError('USAGE', `--stream is ${INPUT_STREAMS.join(' or ')}`);
    }
    this.isQuiet = args.flag('quiet');
    this.isReadOnly = args.flag('read-only');
    this.lingerMs = args.duration('linger') ?? DEFAULT_LINGER_MS;
    const offset = args.count('offset');
    this.session = new ConsoleSession({
      addresses,
      stream,
      write: !this.isReadOnly,
      machineId: args.text('machine-id') ?? '',
      ...(offset === undefined ? {} : { offset }),
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
