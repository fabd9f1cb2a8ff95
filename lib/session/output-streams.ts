/**
 * What has left a machine, stream by stream: how far, and a running digest over all of it.
 *
 * Record and replay keep the same account; record writes it into output marks, replay compares.
 *
 * Invariant, for each stream: marked <= offset; every byte before `marked` is covered by an
 * output mark in the log.
 */

import { assert, present } from '../base/assert.js';
import { Hash64 } from '../base/hash.js';
import { OUTPUT_STREAMS, type OutputStream } from '../event/event.js';
import type { OutputChunk } from '../machine/machine.js';

/** One stream's account as plain data, for a snapshot or a promotion. */
export interface StreamState {
  readonly stream: OutputStream;
  readonly offset: bigint;
  readonly marked: bigint;
  /** Saved `Hash64` over the bytes before `offset`. */
  readonly hash: Uint8Array;
}

export interface StreamAccount {
  readonly stream: OutputStream;
  offset: bigint;
  marked: bigint;
  readonly hash: Hash64;
}

export class OutputStreams {
  private readonly accounts = new Map<OutputStream, StreamAccount>();

  constructor(states: readonly StreamState[]) {
    for (const stream of OUTPUT_STREAMS) {
      const state = states.find((candidate) => candidate.stream === stream);
      this.accounts.set(
        stream,
        state === undefined
          ? { stream, offset: 0n, marked: 0n, hash: new Hash64() }
          : { stream, offset: state.offset, marked: state.marked, hash: Hash64.resume(state.hash) },
      );
    }
  }

  account(stream: OutputStream): StreamAccount {
    return present(this.accounts.get(stream), `output stream ${stream}`);
  }

  /** Takes bytes that left the machine. */
  add(chunk: OutputChunk): void {
    const account = this.account(chunk.stream);
    assert(
      chunk.offset === account.offset,
      `${chunk.stream} goes on at ${chunk.offset}, expected ${account.offset}`,
    );
    account.hash.update(chunk.bytes);
    account.offset += BigInt(chunk.bytes.length);
  }

  /** Streams with output that no mark covers yet, in a fixed order. */
  unmarked(): StreamAccount[] {
    return [...this.accounts.values()].filter((account) => account.marked < account.offset);
  }

  save(): StreamState[] {
    return [...this.accounts.values()].map(({ stream, offset, marked, hash }) => ({
      stream,
      offset,
      marked,
      hash: hash.save(),
    }));
  }
}
