/**
 * The terminal of a guest that runs in this process: standard input to its console, its console
 * to standard output. A real terminal is in raw mode, so that every key reaches the guest but
 * those of `EscapeKeys`; a pipe is passed on as it is, and its end does not end the guest.
 *
 * Both directions wait: reading pauses while the guest has not taken what was sent, and a guest
 * whose output nobody reads is stopped by the promise that `write` gives.
 */

import { once } from 'node:events';
import { Socket } from 'node:net';
import { ESCAPE_HELP, EscapeKeys } from './escape-keys.js';

/** Bytes that may be on their way to the guest before reading pauses. */
const INPUT_WINDOW_BYTES = 4096n;

export interface GuestTerminalOptions {
  /** `sequence` counts the bytes sent so far, these included. */
  readonly send: (bytes: Uint8Array, sequence: bigint) => void;
  readonly quit: () => void;
}

export class GuestTerminal {
  private readonly options: GuestTerminalOptions;
  private readonly keys = new EscapeKeys();
  private readonly raw = process.stdin.isTTY;
  private readonly take = (typed: Buffer): void => this.takeTyped(typed);
  private readonly ignore = (): void => undefined;
  private sent = 0n;
  private taken = 0n;
  private endsLine = true;

  constructor(options: GuestTerminalOptions) {
    this.options = options;
  }

  open(): void {
    const { stdin } = process;
    if (this.raw) {
      stdin.setRawMode(true);
      process.stderr.write('lockstep: Ctrl-A x quits, Ctrl-A h shows the keys\r\n');
    }
    // Input that can't be read is input that has ended.
    stdin.on('error', this.ignore);
    stdin.on('data', this.take);
  }

  /** Shows guest output; the promise is there while the reader of it is behind. */
  write(bytes: Uint8Array): Promise<void> | undefined {
    this.endsLine = bytes.at(-1) === 0x0a;
    if (process.stdout.write(bytes)) return undefined;
    return once(process.stdout, 'drain').then(() => undefined);
  }

  /** The guest has taken input up to `sequence`. */
  acknowledge(sequence: bigint): void {
    if (sequence > this.taken) this.taken = sequence;
    if (this.sent - this.taken < INPUT_WINDOW_BYTES) process.stdin.resume();
  }

  /** Gives the terminal back; what is printed next starts a line of its own. */
  close(): void {
    const { stdin } = process;
    stdin.off('data', this.take);
    if (this.raw) stdin.setRawMode(false);
    stdin.pause();
    // A file has no socket to let go of.
    if (stdin instanceof Socket) stdin.unref();
    else process.stdin.destroy();
    if (!this.endsLine) process.stdout.write('\n');
  }

  private takeTyped(typed: Buffer): void {
    if (!this.raw) {
      this.send(typed);
      return;
    }
    const { bytes, quit, help } = this.keys.filter(typed);
    this.send(bytes);
    if (help) process.stderr.write(ESCAPE_HELP);
    if (quit) this.options.quit();
  }

  private send(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.sent += BigInt(bytes.length);
    this.options.send(new Uint8Array(bytes), this.sent);
    if (this.sent - this.taken >= INPUT_WINDOW_BYTES) process.stdin.pause();
  }
}
