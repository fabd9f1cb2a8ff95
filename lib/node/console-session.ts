/**
 * A client's console that outlives any one node.
 *
 * It asks all known nodes who is primary, attaches to the one of the highest epoch, and goes on at
 * the byte where it was. While attached it keeps asking the others: a primary that is only frozen
 * closes no connection, and the one that took over is found by its higher epoch.
 *
 * Invariant: `epoch` never falls and nothing of a lower epoch is delivered; every output byte from
 * the first offset on is delivered once, in order; every input byte is sent until the log that
 * holds it is committed, and counted, so that the machine takes it once.
 */

import { randomBytes } from 'node:crypto';
import { LockstepError } from '../base/error.js';
import type { InputStream } from '../event/event.js';
import { CONSOLE_INPUT_BYTES } from '../rpc/limits.js';
import { errorOfStatus } from '../rpc/status-table.js';
import { ConsoleLink } from './console-link.js';
import { PrimaryFinder, type FoundPrimary } from './primary-finder.js';

export interface ConsoleEvents {
  /** Output of the machine, in order. */
  onOutput(bytes: Uint8Array, epoch: bigint): void;
  /** The machine has all input up to `sequence`, for good. */
  onInputAcked?(sequence: bigint): void;
  onAttached?(address: string, epoch: bigint): void;
  onDetached?(reason: string): void;
  /** The machine ended in order. */
  onPower?(cause: string, status: number): void;
  /** Nothing more can be done, such as output that is not kept any more. */
  onFailure(error: LockstepError): void;
}

export interface ConsoleOptions {
  readonly addresses: readonly string[];
  readonly events: ConsoleEvents;
  readonly stream?: InputStream;
  readonly write?: boolean;
  readonly machineId?: string;
  /** First byte wanted; by default the oldest that is kept. */
  readonly offset?: bigint;
}

interface UnackedInput {
  /** Bytes sent in all, these included. */
  readonly sequence: bigint;
  readonly bytes: Uint8Array;
}

/** Failures after which another node, or the same one later, may still do. */
const PASSING: readonly string[] = ['NOT_PRIMARY', 'IO', 'FENCED'];

export class ConsoleSession {
  /** Random name, under which the machine remembers what it has taken. */
  readonly client = randomBytes(8).readBigUInt64LE() | 1n;
  private readonly options: ConsoleOptions;
  private readonly finder: PrimaryFinder;
  private link: ConsoleLink | null = null;
  private highestEpoch = 0n;
  private nextOffset: bigint | null;
  private sequence = 0n;
  private acked = 0n;
  /** In order of sequence. */
  private readonly unacked: UnackedInput[] = [];
  private isClosed = false;

  constructor(options: ConsoleOptions) {
    this.options = options;
    this.nextOffset = options.offset ?? null;
    this.finder = new PrimaryFinder(options.addresses, (found) => this.attach(found));
  }

  /** Highest epoch seen. */
  get epoch(): bigint {
    return this.highestEpoch;
  }

  /** Offset of the next output byte. */
  get offset(): bigint {
    return this.nextOffset ?? 0n;
  }

  /** Input bytes that are not acknowledged. */
  get unackedBytes(): number {
    return Number(this.sequence - this.acked);
  }

  start(): void {
    this.finder.start();
  }

  /** Sends input, now or when a primary is found; gives its sequence. */
  write(bytes: Uint8Array): bigint {
    for (let at = 0; at < bytes.length; at += CONSOLE_INPUT_BYTES) {
      const piece = bytes.slice(at, at + CONSOLE_INPUT_BYTES);
      this.sequence += BigInt(piece.length);
      const input = { sequence: this.sequence, bytes: piece };
      this.unacked.push(input);
      this.link?.sendInput(input.sequence, input.bytes);
    }
    return this.sequence;
  }

  close(): void {
    this.isClosed = true;
    this.finder.stop();
    this.link?.close();
    this.link = null;
  }

  private attach(found: FoundPrimary): void {
    const isBetter = found.epoch > this.highestEpoch;
    const isNeeded = this.link === null && found.epoch === this.highestEpoch;
    if (this.isClosed || !(isBetter || isNeeded)) return;
    this.highestEpoch = found.epoch;
    if (this.link !== null) this.detach(this.link, 'another node is primary');
    const { stream = 'uart', write = true, machineId = '' } = this.options;
    const link: ConsoleLink = new ConsoleLink(found.client, {
      opened: (epoch, offset) => this.opened(link, epoch, offset),
      output: (epoch, offset, bytes) => this.output(link, epoch, offset, bytes),
      inputAck: (epoch, sequence) => this.inputAck(link, epoch, sequence),
      nodes: (addresses) => addresses.forEach((address) => this.finder.learn(address)),
      power: (epoch, cause, status) => this.power(link, epoch, cause, status),
      over: (failure) => this.over(link, failure),
    });
    this.link = link;
    link.open({
      client: this.client,
      stream,
      offset: this.nextOffset ?? 0n,
      epoch: this.highestEpoch,
      write,
      fromOldest: this.nextOffset === null,
      machineId,
    });
    link.address = found.address;
  }

  /** False for what comes from a node that may not speak any more. */
  private accepts(link: ConsoleLink, epoch: bigint): boolean {
    if (link !== this.link) return false;
    if (epoch < this.highestEpoch) {
      this.detach(link, `epoch ${epoch} is over`);
      this.finder.search();
      return false;
    }
    this.highestEpoch = epoch;
    return true;
  }

  private opened(link: ConsoleLink, epoch: bigint, offset: bigint): void {
    if (!this.accepts(link, epoch)) return;
    this.nextOffset ??= offset;
    if (offset > this.nextOffset) return this.fail(this.gap(offset));
    this.finder.settle(link.address);
    this.options.events.onAttached?.(link.address, epoch);
    for (const { sequence, bytes } of this.unacked) link.sendInput(sequence, bytes);
  }

  private output(link: ConsoleLink, epoch: bigint, offset: bigint, bytes: Uint8Array): void {
    if (!this.accepts(link, epoch)) return;
    const wanted = this.nextOffset ?? offset;
    if (offset > wanted) return this.fail(this.gap(offset));
    const known = wanted - offset;
    if (known >= BigInt(bytes.length)) return;
    const fresh = bytes.subarray(Number(known));
    this.nextOffset = wanted + BigInt(fresh.length);
    this.options.events.onOutput(fresh, epoch);
  }

  private inputAck(link: ConsoleLink, epoch: bigint, sequence: bigint): void {
    if (!this.accepts(link, epoch) || sequence <= this.acked) return;
    this.acked = sequence;
    const rest = this.unacked.findIndex((input) => input.sequence > sequence);
    this.unacked.splice(0, rest < 0 ? this.unacked.length : rest);
    this.options.events.onInputAcked?.(sequence);
  }

  private power(link: ConsoleLink, epoch: bigint, cause: string, status: number): void {
    if (!this.accepts(link, epoch)) return;
    this.close();
    this.options.events.onPower?.(cause, status);
  }

  private over(link: ConsoleLink, failure: unknown): void {
    if (link !== this.link) return;
    const error = failure === null ? null : errorOfStatus(failure);
    this.detach(link, error?.message ?? 'the node ended the call');
    if (error !== null && !PASSING.includes(error.code)) return this.fail(error);
    const primary = error?.fields['primary'];
    if (primary !== undefined) this.finder.learn(String(primary));
    this.finder.search();
  }

  private detach(link: ConsoleLink, reason: string): void {
    link.close();
    this.link = null;
    this.options.events.onDetached?.(reason);
  }

  private gap(offset: bigint): LockstepError {
    const message = `output goes on at byte ${offset}, ${this.offset} was wanted: some is lost`;
    return new LockstepError('BAD_LOG', message);
  }

  private fail(error: LockstepError): void {
    if (this.isClosed) return;
    this.close();
    this.options.events.onFailure(error);
  }
}
