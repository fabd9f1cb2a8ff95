/**
 * The simulator's guest: a counting machine that is as small as it can be and still shows every
 * mistake of replication.
 *
 * It takes numbered transactions and answers each, some only after a disk request completes. Its
 * state depends on the exact step of every input; it also speaks on its own from time to time, so
 * that a replica that runs too far says something else than the record. Each item of output
 * counts as one byte of its stream.
 */

import { assert, present } from '../base/assert.js';

/** A step at which the guest mixes its state; the unit of its work. */
const STEPS_PER_MIX = 100;
/** Mixes after which it says something unasked. */
const MIXES_PER_REMARK = 40;
const MAX_SEQUENCE = 0x10000;
const STATE_RANGE = 0x1_0000_0000;

/** A disk request that the guest waits for. */
export interface DiskRequest {
  readonly id: number;
  readonly client: number;
  readonly sequence: number;
}

/** Replay was asked for something that cannot follow from the record. */
export class GuestFault extends Error {
  override readonly name = 'GuestFault';
}

export class Guest {
  step = 0;
  private state = 0x9e3779b9;
  /** Everything it ever said; negative items are remarks, others replies. */
  outputs: number[] = [];
  /** Transactions in the order in which they were applied, as `client * 2^16 + sequence`. */
  history: number[] = [];
  private lastSequence: number[] = [];
  pending: DiskRequest[] = [];
  private nextRequest = 1;
  isStopped = false;
  /** Requests issued since the last `takeRequests`. */
  private issued: DiskRequest[] = [];

  clone(): Guest {
    const copy = new Guest();
    copy.step = this.step;
    copy.state = this.state;
    copy.outputs = this.outputs.slice();
    copy.history = this.history.slice();
    copy.lastSequence = this.lastSequence.slice();
    copy.pending = this.pending.slice();
    copy.nextRequest = this.nextRequest;
    copy.isStopped = this.isStopped;
    return copy;
  }

  /** Equal on two replicas exactly if their states are (up to chance). */
  digest(): number {
    let digest = mix(this.state, this.outputs.length);
    digest = mix(digest, this.history.length);
    digest = mix(digest, this.pending.length);
    return mix(digest, this.nextRequest);
  }

  runTo(step: number): void {
    if (step < this.step) throw new GuestFault(`step ${step} is past, at ${this.step}`);
    let mixAt = this.step - (this.step % STEPS_PER_MIX) + STEPS_PER_MIX;
    for (; mixAt <= step; mixAt += STEPS_PER_MIX) {
      this.state = mix(this.state, mixAt);
      if (mixAt % (STEPS_PER_MIX * MIXES_PER_REMARK) === 0) this.outputs.push(-1 - this.state);
    }
    this.step = step;
  }

  /** A transaction arrives. `knowsClients` is false in a planted bug only. */
  input(client: number, sequence: number, knowsClients: boolean): void {
    if (knowsClients && sequence <= (this.lastSequence[client] ?? 0)) {
      if (!this.pending.some((request) => isOf(request, client, sequence))) {
        this.reply(client, sequence);
      }
      return;
    }
    this.lastSequence[client] = sequence;
    this.history.push(client * MAX_SEQUENCE + sequence);
    this.state = mix(this.state, this.step ^ (client * MAX_SEQUENCE + sequence));
    if (sequence % 2 === 0) return this.reply(client, sequence);
    const request = { id: this.nextRequest, client, sequence };
    this.nextRequest += 1;
    this.pending.push(request);
    this.issued.push(request);
  }

  /** The disk has done what request `id` asked for. */
  complete(id: number): void {
    const index = this.pending.findIndex((request) => request.id === id);
    if (index < 0) throw new GuestFault(`completion of request ${id}, which is not open`);
    const request = present(this.pending[index], 'open request');
    this.pending.splice(index, 1);
    this.state = mix(this.state, id);
    this.reply(request.client, request.sequence);
  }

  takeRequests(): DiskRequest[] {
    const issued = this.issued;
    this.issued = [];
    return issued;
  }

  switchOff(): void {
    this.isStopped = true;
    this.outputs.push(-1 - mix(this.state, 1));
  }

  /** Flips one bit, as a cosmic ray would. */
  flip(bit: number): void {
    this.state = (this.state ^ (1 << bit)) >>> 0;
  }

  private reply(client: number, sequence: number): void {
    assert(sequence < MAX_SEQUENCE, `sequence ${sequence}`);
    this.outputs.push((client * MAX_SEQUENCE + sequence) * STATE_RANGE + this.state);
  }
}

/** The transaction that an item of output answers, or null if it is a remark. */
export function answered(item: number): { client: number; sequence: number } | null {
  if (item < 0) return null;
  const transaction = Math.floor(item / STATE_RANGE);
  return {
    client: Math.floor(transaction / MAX_SEQUENCE),
    sequence: transaction % MAX_SEQUENCE,
  };
}

/** Reads an item of `Guest.history`. */
export function transactionOf(item: number): { client: number; sequence: number } {
  return { client: Math.floor(item / MAX_SEQUENCE), sequence: item % MAX_SEQUENCE };
}

function isOf(request: DiskRequest, client: number, sequence: number): boolean {
  return request.client === client && request.sequence === sequence;
}

/** A 32-bit mixing step (the finaliser of MurmurHash3 over the sum). */
export function mix(state: number, value: number): number {
  let hash = (Math.imul(state ^ value, 0x85ebca6b) + (value | 0) + 0x27d4eb2f) | 0;
  hash ^= hash >>> 15;
  hash = Math.imul(hash, 0xc2b2ae35);
  hash ^= hash >>> 13;
  return hash >>> 0;
}
