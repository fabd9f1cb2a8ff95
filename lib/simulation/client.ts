/**
 * Those who hear the machine: clients that run numbered transactions, and a recorder.
 *
 * A client sends transaction n until its answer is in the output it accepted, then n + 1. It asks
 * another node when nobody answers. The recorder sits where a switch would: it hears everything
 * at once, asks for nothing again, and therefore shows output that is missing.
 *
 * Every sink accepts output of an epoch at least as new as any it has accepted, at the offset it
 * waits for; older output that overlaps is compared, not accepted again.
 */

import { answered } from './guest.js';
import type { Emission } from './surroundings.js';

/** What all sinks together have heard: the one history that must be true. */
export class Heard {
  readonly items: number[] = [];

  /** Adds or compares; the offset of the first difference, or null. */
  agree(offset: number, items: readonly number[]): number | null {
    for (let index = 0; index < items.length; index += 1) {
      const at = offset + index;
      const known = this.items[at];
      const item = items[index] ?? 0;
      if (known === undefined) this.items[at] = item;
      else if (known !== item) return at;
    }
    return null;
  }
}

export class Sink {
  offset = 0;
  epoch = 0n;
  private readonly heard: Heard;
  private readonly fences: boolean;
  private readonly violation: (what: string) => void;

  constructor(heard: Heard, fences: boolean, violation: (what: string) => void) {
    this.heard = heard;
    this.fences = fences;
    this.violation = violation;
  }

  /** Items newly accepted; null if the emission leaves a gap before it. */
  accept(emission: Emission): readonly number[] | null {
    if (emission.epoch < this.epoch) {
      if (this.fences) return [];
      this.violation(`output of epoch ${emission.epoch} accepted after epoch ${this.epoch}`);
    }
    if (emission.offset > this.offset) return null;
    if (emission.epoch > this.epoch) this.epoch = emission.epoch;
    const differsAt = this.heard.agree(emission.offset, emission.items);
    if (differsAt !== null) {
      this.violation(`output at ${differsAt} was heard with another content before`);
    }
    const fresh = emission.items.slice(this.offset - emission.offset);
    this.offset += fresh.length;
    return fresh;
  }
}

export class Client {
  readonly id: number;
  readonly sink: Sink;
  /** The transaction under way. */
  sequence = 1;
  /** The node it talks to. */
  target = 0;
  private attempt = 0;

  constructor(id: number, sink: Sink) {
    this.id = id;
    this.sink = sink;
  }

  /** Transactions that the client knows to be done. */
  get acknowledged(): number {
    return this.sequence - 1;
  }

  /** Number of the present attempt; a later one makes its timeout void. */
  begin(): number {
    this.attempt += 1;
    return this.attempt;
  }

  isCurrent(attempt: number): boolean {
    return attempt === this.attempt;
  }

  /** True if what the client accepted answers its transaction. */
  isAnsweredBy(items: readonly number[]): boolean {
    return items.some((item) => {
      const reply = answered(item);
      return reply?.client === this.id && reply.sequence === this.sequence;
    });
  }
}
