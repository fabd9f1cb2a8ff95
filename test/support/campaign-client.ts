/**
 * A client that runs transactions without pause on whichever node is primary, and believes nothing.
 *
 * It speaks ConsoleService as `lockstep console` does, through the same session: it finds the
 * primary, reconnects, continues at the right byte. Each answer is compared with a mirror of the
 * guest; epochs may not fall; what was read is kept, so that a node's own history of the console
 * can be compared with it byte for byte.
 *
 * It sends the next transaction as soon as one is answered, or at a pace that somebody sets.
 *
 * Invariant: `fault` is the first thing that was not as promised; nothing after it counts.
 */

import { performance } from 'node:perf_hooks';
import { ConsoleSession } from '../../lib/node/console-session.js';
import type { Dialect } from './campaign-dialects.js';

/** What is kept of the output, at least. */
const KEPT_BYTES = 256 * 1024;

/** The first output that came in an epoch. */
export interface Dawn {
  readonly epoch: bigint;
  readonly atMs: number;
  /** Position of its first byte. */
  readonly offset: bigint;
}

export class CampaignClient {
  /** What went wrong first; null as long as nothing did. */
  fault: string | null = null;
  answered = 0;
  /** Times from sending to the answer, in milliseconds. */
  readonly latenciesMs: number[] = [];
  readonly dawns: Dawn[] = [];
  private readonly dialect: Dialect;
  private readonly session: ConsoleSession;
  private readonly ahead: number;
  private readonly sentAtMs: number[] = [];
  private readonly replies: string[] = [];
  private nextNumber = 1;
  private isRunning = false;
  /** Sends, where a pace is set. */
  private pacemaker: NodeJS.Timeout | null = null;
  private line = '';
  private kept = Buffer.alloc(0);
  private endOffset: bigint | null = null;

  /** `ahead` transactions are on their way at once. */
  constructor(addresses: readonly string[], dialect: Dialect, ahead: number) {
    this.dialect = dialect;
    this.ahead = ahead;
    this.session = new ConsoleSession({
      addresses,
      events: {
        onOutput: (bytes, epoch) => this.take(bytes, epoch),
        onFailure: (error) => this.fail(error.message),
      },
    });
    this.session.start();
  }

  run(): void {
    this.isRunning = true;
    this.fill();
  }

  /** At most so many transactions a second from here on; null: as fast as answers come. */
  pace(perSecond: number | null): void {
    if (this.pacemaker !== null) clearInterval(this.pacemaker);
    this.pacemaker =
      perSecond === null ? null : setInterval(() => this.sendNext(), 1000 / perSecond);
    this.fill();
  }

  /** Sends nothing new; what is on its way is still answered. */
  pause(): void {
    this.isRunning = false;
  }

  get isQuiet(): boolean {
    return this.sentAtMs.length === 0;
  }

  /** Sends so many transactions in one piece, whatever is on its way. */
  burst(count: number): void {
    let text = '';
    for (let index = 0; index < count; index += 1) text += `${this.nextRequest()}\n`;
    this.session.write(Buffer.from(text));
  }

  /** Sends a line that is no transaction. */
  say(line: string): void {
    this.session.write(Buffer.from(`${line}\n`));
  }

  /** The first reply that fits, taken out; undefined if there is none yet. */
  reply(pattern: RegExp): string | undefined {
    const index = this.replies.findIndex((line) => pattern.test(line));
    return index < 0 ? undefined : this.replies.splice(index, 1)[0];
  }

  /** Position after the last byte read. */
  get offset(): bigint {
    return this.endOffset ?? 0n;
  }

  /** The bytes read last, and the position of the first of them. */
  history(): { readonly start: bigint; readonly bytes: Buffer } {
    return { start: this.offset - BigInt(this.kept.length), bytes: this.kept };
  }

  close(): void {
    this.isRunning = false;
    this.pace(null);
    this.session.close();
  }

  private nextRequest(): string {
    const number = this.nextNumber++;
    this.sentAtMs.push(performance.now());
    return this.dialect.request(number);
  }

  private fill(): void {
    if (this.pacemaker !== null) return;
    while (this.sendNext());
  }

  private sendNext(): boolean {
    const mayMore = this.isRunning && this.sentAtMs.length < this.ahead;
    if (mayMore) this.say(this.nextRequest());
    return mayMore;
  }

  private take(bytes: Uint8Array, epoch: bigint): void {
    const last = this.dawns.at(-1)?.epoch ?? 0n;
    if (epoch < last) return this.fail(`output of epoch ${epoch} after epoch ${last}`);
    const start = this.session.offset - BigInt(bytes.length);
    if (this.endOffset !== null && start !== this.endOffset) {
      return this.fail(`output at ${start}, expected at ${this.endOffset}`);
    }
    if (epoch > last) this.dawns.push({ epoch, atMs: performance.now(), offset: start });
    this.endOffset = this.session.offset;
    this.kept = Buffer.concat([this.kept, bytes]);
    if (this.kept.length > 2 * KEPT_BYTES) this.kept = this.kept.subarray(-KEPT_BYTES);
    const lines = (this.line + Buffer.from(bytes).toString('latin1')).split(/\r?\n/);
    this.line = lines.pop() ?? '';
    for (const line of lines) this.takeLine(line);
    this.fill();
  }

  private takeLine(line: string): void {
    if (this.fault !== null) return;
    if (!this.dialect.isAnswer(line)) {
      this.replies.push(line);
      return;
    }
    const expected = this.dialect.nextAnswer();
    if (line !== expected) return this.fail(`the guest says "${line}", expected "${expected}"`);
    const sentMs = this.sentAtMs.shift();
    if (sentMs === undefined) return this.fail(`an answer to nothing: "${line}"`);
    this.answered += 1;
    this.latenciesMs.push(performance.now() - sentMs);
  }

  private fail(fault: string): void {
    this.fault ??= fault;
    this.isRunning = false;
  }
}
