/**
 * The arbiter of a simulation: records in memory, reached over paths that can be cut.
 *
 * On a cut path a question may be lost, or only its answer: then the record is made and the
 * asker does not know. Both show as `unavailable` or as silence.
 */

import { sameHolder } from '../protocol/arbiter.js';
import type { ArbiterAnswer, Holder } from '../protocol/arbiter.js';
import type { Agenda } from './agenda.js';
import type { Process } from './process.js';
import type { Random } from './random.js';

export class SimulatedArbiter {
  /** Holder of each generation; never changes once made, unless a planted bug forgets it. */
  readonly records = new Map<number, Holder>();
  private readonly unreachable = new Set<number>();
  private readonly agenda: Agenda;
  private readonly random: Random;
  private readonly delayMs: number;
  private readonly forgets: boolean;

  constructor(options: {
    readonly agenda: Agenda;
    readonly random: Random;
    readonly delayMs: number;
    readonly forgets: boolean;
    readonly staleGenerations: readonly number[];
  }) {
    this.agenda = options.agenda;
    this.random = options.random;
    this.delayMs = options.delayMs;
    this.forgets = options.forgets;
    for (const generation of options.staleGenerations) {
      this.records.set(generation, { address: 'n0', incarnation: 'previous' });
    }
  }

  newest(): { readonly generation: number; readonly holder: Holder } | null {
    let newest: { generation: number; holder: Holder } | null = null;
    for (const [generation, holder] of this.records) {
      if (newest === null || generation > newest.generation) newest = { generation, holder };
    }
    return newest;
  }

  setReachable(node: number, isReachable: boolean): void {
    if (isReachable) this.unreachable.delete(node);
    else this.unreachable.add(node);
  }

  isReachable(node: number): boolean {
    return !this.unreachable.has(node);
  }

  claim(process: Process, generation: bigint, answer: (answer: ArbiterAnswer) => void): void {
    const isCut = this.unreachable.has(process.node);
    const isAsked = !isCut || this.random.chance(0.4);
    const fails = isCut && this.random.chance(0.5);
    this.agenda.after(this.delayMs, () => {
      const verdict = isAsked ? this.record(process, Number(generation)) : null;
      if (isCut && !fails) return;
      const told: ArbiterAnswer = isCut || verdict === null ? { outcome: 'unavailable' } : verdict;
      process.after(this.delayMs, () => answer(told));
    });
  }

  private record(process: Process, generation: number): ArbiterAnswer {
    const holder = holderOf(process);
    const known = this.records.get(generation);
    if (known === undefined) {
      this.records.set(generation, holder);
      if (this.forgets) process.onEnd(() => this.records.delete(generation));
      return { outcome: 'won' };
    }
    return sameHolder(known, holder) ? { outcome: 'won' } : { outcome: 'lost', holder: known };
  }
}

/** The name under which a process claims. */
export function holderOf(process: Process): Holder {
  return { address: `n${process.node}`, incarnation: String(process.life) };
}
