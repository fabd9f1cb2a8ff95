/**
 * A client of the ledger guest (guest/README.md) that runs transactions without pause and believes
 * nothing: it keeps the ledger's state itself and compares every answer with it.
 *
 * The guest never deduplicates. A transaction that is lost, doubled or reordered by a failover
 * shows in the next answer, in its count, its sum or its hash.
 */

import { performance } from 'node:perf_hooks';
import { ConsoleSession } from '../../lib/node/console-session.js';

const FNV_OFFSET = 0xcbf29ce484222325n;
const FNV_PRIME = 0x100000001b3n;

export interface LedgerAnswer {
  readonly number: number;
  /** Time from sending to the answer, in milliseconds. */
  readonly latencyMs: number;
  /** Monotonic time of the answer, in milliseconds. */
  readonly atMs: number;
  readonly epoch: bigint;
}

export interface LedgerEvents {
  onAnswer(answer: LedgerAnswer): void;
  onAttached(address: string, epoch: bigint): void;
  onDetached(reason: string): void;
}

/** What the ledger's state must be after the transactions 1 to `count`. */
export class LedgerState {
  count = 0;
  private sum = 0n;
  private hash = FNV_OFFSET;

  /** Enters the next transaction. */
  add(): void {
    this.count += 1;
    const amount = amountOf(this.count);
    this.sum += amount;
    this.hash = fnv(fnv(this.hash, BigInt(this.count)), amount);
  }

  /** Count, sum and hash as the ledger shows them. */
  toString(): string {
    return `${this.count} ${this.sum} ${hex(this.hash)}`;
  }
}

/** The line that sends transaction `number`. */
export function transactionLine(number: number): string {
  return `T ${number} ${amountOf(number)}`;
}

export class LedgerClient {
  /** What went wrong, null as long as nothing did. */
  fault: string | null = null;
  private readonly session: ConsoleSession;
  private readonly events: LedgerEvents;
  private readonly ahead: number;
  private readonly sentAtMs = new Map<number, number>();
  private readonly replies: string[] = [];
  private readonly mirror = new LedgerState();
  private nextNumber = 1;
  private isRunning = false;
  private hasGreeting = false;
  private rest = '';

  /** `ahead` transactions are on their way at once. */
  constructor(addresses: readonly string[], ahead: number, events: LedgerEvents) {
    this.ahead = ahead;
    this.events = events;
    this.session = new ConsoleSession({
      addresses,
      events: {
        onOutput: (bytes, epoch) => this.take(bytes, epoch),
        onAttached: (address, epoch) => events.onAttached(address, epoch),
        onDetached: (reason) => events.onDetached(reason),
        onFailure: (error) => this.fail(error.message),
      },
    });
    this.session.start();
  }

  /** Transactions answered, all of them as they must be. */
  get answered(): number {
    return this.mirror.count;
  }

  /** The ledger's state as it must be after what was answered. */
  get state(): string {
    return this.mirror.toString();
  }

  run(): void {
    this.isRunning = true;
    this.send();
  }

  /** Sends no more; what is on its way is still answered. */
  pause(): void {
    this.isRunning = false;
  }

  /** True once the ledger has greeted. */
  get isReady(): boolean {
    return this.hasGreeting;
  }

  /** True when nothing is on its way. */
  get isQuiet(): boolean {
    return this.sentAtMs.size === 0;
  }

  /** Sends a line whose answer is not a transaction's. */
  say(line: string): void {
    this.session.write(Buffer.from(`${line}\n`));
  }

  /** The first answer that begins with `word`, taken out; undefined if none is there yet. */
  reply(word: string): string | undefined {
    const index = this.replies.findIndex((line) => line.startsWith(`${word} `));
    return index < 0 ? undefined : this.replies.splice(index, 1)[0];
  }

  close(): void {
    this.isRunning = false;
    this.session.close();
  }

  private send(): void {
    while (this.isRunning && this.hasGreeting && this.sentAtMs.size < this.ahead) {
      const number = this.nextNumber++;
      this.sentAtMs.set(number, performance.now());
      this.say(transactionLine(number));
    }
  }

  private take(bytes: Uint8Array, epoch: bigint): void {
    const lines = (this.rest + Buffer.from(bytes).toString('latin1')).split(/\r?\n/);
    this.rest = lines.pop() ?? '';
    for (const line of lines) {
      if (line.startsWith('A ')) this.takeAnswer(line, epoch);
      else if (line.startsWith('R ')) this.hasGreeting = true;
      else if (line.startsWith('E ')) this.fail(`the ledger says "${line}"`);
      else this.replies.push(line);
    }
    this.send();
  }

  private takeAnswer(line: string, epoch: bigint): void {
    this.mirror.add();
    const number = this.answered;
    const expected = `A ${number} ${this.state}`;
    if (line !== expected) return this.fail(`the ledger says "${line}", expected "${expected}"`);
    const atMs = performance.now();
    const latencyMs = atMs - (this.sentAtMs.get(number) ?? atMs);
    this.sentAtMs.delete(number);
    this.events.onAnswer({ number, latencyMs, atMs, epoch });
  }

  private fail(fault: string): void {
    this.fault ??= fault;
    this.isRunning = false;
  }
}

/** Any fixed function does; this one goes up and down. */
function amountOf(number: number): bigint {
  return BigInt(((number * 7919) % 2001) - 1000);
}

/** FNV-1a over the eight bytes of a 64-bit value, lowest first. */
function fnv(hash: bigint, value: bigint): bigint {
  let result = hash;
  let rest = BigInt.asUintN(64, value);
  for (let byte = 0; byte < 8; byte += 1) {
    result = BigInt.asUintN(64, (result ^ (rest & 0xffn)) * FNV_PRIME);
    rest >>= 8n;
  }
  return result;
}

function hex(value: bigint): string {
  return value.toString(16).padStart(16, '0');
}
