/**
 * Log entries of the simulator and the messages that carry them.
 *
 * An entry is one object, shared by every log that holds it: equal chain hashes are the same
 * object. `after` is for the checkers alone; no role reads it.
 */

import type { CloseReason, Purpose } from '../protocol/primary-contract.js';
import type { Guest } from './guest.js';

export type EntryKind =
  'epoch' | 'input' | 'completion' | 'output-mark' | 'horizon' | 'state-hash' | 'power-off';

export interface Entry {
  readonly seq: number;
  readonly kind: EntryKind;
  /** The guest's step at which it applies. */
  readonly step: number;
  /** Epoch, client, request or output offset, by kind. */
  readonly value: number;
  /** Sequence of an input; digest of a state hash. */
  readonly detail: number;
  /** The recorder's digest after the entry. */
  readonly after: number;
}

/** Size of every entry, as if packed. */
export const ENTRY_BYTES = 32;

export type Message =
  | {
      readonly kind: 'hello';
      readonly purpose: Purpose;
      readonly position: number;
      readonly epoch: bigint;
      /** Entry at `position`, null if it is not held: the chain hash. */
      readonly chain: Entry | null;
    }
  | { readonly kind: 'wait'; readonly epoch: bigint }
  | {
      readonly kind: 'answer';
      readonly epoch: bigint;
      readonly mode: 'resume' | 'snapshot';
      readonly seq: number;
    }
  | { readonly kind: 'chunk' }
  | { readonly kind: 'snapshot'; readonly seq: number; readonly state: Replica }
  | {
      readonly kind: 'batch';
      readonly epoch: bigint;
      readonly entries: readonly Entry[];
      readonly releasedSeq: bigint;
      readonly counted: boolean;
      /** False if the stream broke in the middle of it. */
      readonly intact: boolean;
    }
  | {
      readonly kind: 'heartbeat';
      readonly epoch: bigint;
      readonly lastSeq: bigint;
      readonly releasedSeq: bigint;
    }
  | {
      readonly kind: 'ack';
      readonly epoch: bigint;
      readonly receivedSeq: bigint;
      readonly durableSeq: bigint;
      readonly replayedSeq: bigint;
      /** Entry at `receivedSeq`, null for none: the chain hash. */
      readonly chain: Entry | null;
    }
  | { readonly kind: 'close'; readonly reason: CloseReason | null };

/** A machine with its log: what a role runs, and what a promotion hands over. */
export class Replica {
  guest: Guest;
  /** Entries after `baseSeq`, in order. */
  log: Entry[] = [];
  baseSeq = 0;
  /** Output offsets by the entry that marks them, as far as the log is held. */
  marks: { readonly seq: number; readonly offset: number }[] = [];
  /** Bits were flipped by a fault, and no comparison has noticed yet. */
  isFlipped = false;

  constructor(guest: Guest) {
    this.guest = guest;
  }

  get lastSeq(): number {
    return this.baseSeq + this.log.length;
  }

  entry(seq: number): Entry | null {
    return this.log[seq - this.baseSeq - 1] ?? null;
  }

  /** Whether the log up to `seq` is the one that ends with `chain`; 0 begins every log. */
  hasSame(seq: number, chain: Entry | null): boolean {
    const own = this.entry(seq);
    return own === null ? seq === 0 && this.baseSeq === 0 : own === chain;
  }

  /** Entries `firstSeq` to `lastSeq`, both held. */
  range(firstSeq: number, lastSeq: number): Entry[] {
    return this.log.slice(firstSeq - this.baseSeq - 1, lastSeq - this.baseSeq);
  }

  append(entry: Entry): void {
    this.log.push(entry);
    if (entry.kind === 'output-mark') this.marks.push({ seq: entry.seq, offset: entry.value });
  }

  /** Offset up to which output is marked by entries up to `seq`. */
  offsetAt(seq: number): number {
    for (let index = this.marks.length - 1; index >= 0; index -= 1) {
      const mark = this.marks[index];
      if (mark !== undefined && mark.seq <= seq) return mark.offset;
    }
    return 0;
  }

  /** A copy at the log's end, with nothing before it: a snapshot. */
  snapshot(): Replica {
    const copy = new Replica(this.guest.clone());
    copy.baseSeq = this.lastSeq;
    copy.marks = this.marks.slice(-1);
    copy.isFlipped = this.isFlipped;
    return copy;
  }
}
