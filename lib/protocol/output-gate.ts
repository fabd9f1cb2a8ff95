/**
 * Up to where output may leave, and how much of it is held back.
 *
 * Invariant: `committedSeq` never falls; nothing marked beyond it was ever released. The bytes
 * themselves are the host's.
 */

import { Backlog } from './backlog.js';
import type { PrimaryEffect } from './primary-contract.js';

export class OutputGate {
  /** Outputs marked up to here may leave. */
  committedSeq: bigint;
  private readonly held = new Backlog();

  constructor(committedSeq: bigint) {
    this.committedSeq = committedSeq;
  }

  get heldBytes(): number {
    return this.held.bytes;
  }

  /** Takes output into account; what is committed already leaves at once. */
  hold(
    output: { readonly seq: bigint; readonly bytes: number },
    epoch: bigint,
    nowMs: number,
  ): PrimaryEffect[] {
    if (output.seq <= this.committedSeq) return [this.release(epoch)];
    this.held.push(output.seq, output.bytes, nowMs);
    return [];
  }

  /** Opens up to `seq`, if that is news. */
  commit(seq: bigint, epoch: bigint): PrimaryEffect[] {
    if (seq <= this.committedSeq) return [];
    this.committedSeq = seq;
    this.held.passTo(seq);
    return [this.release(epoch)];
  }

  private release(epoch: bigint): PrimaryEffect {
    return { kind: 'release', throughSeq: this.committedSeq, epoch };
  }
}
