/**
 * Arbitration: who lost a generation never asks for it again, and for a later one only after it
 * was protected by another primary.
 */

import type { ArbiterAnswer } from '../../protocol/arbiter.js';
import type { SimulatedNode } from '../node.js';
import type { Process } from '../process.js';
import type { View } from './view.js';

export class Losers {
  private readonly lost = new Map<Process, bigint>();

  answered(process: Process, generation: bigint, answer: ArbiterAnswer): void {
    if (answer.outcome === 'lost') this.lost.set(process, generation);
  }

  /** A role is in another state; a protected backup has the protection entry of its epoch. */
  changed(role: SimulatedNode['role'], state: string): void {
    if (role?.kind !== 'backup' || state !== 'protecting') return;
    const lost = this.lost.get(role.process);
    if (lost !== undefined && role.core.figures().epoch >= lost) this.lost.delete(role.process);
  }

  claimed(view: View, process: Process, generation: bigint): void {
    if (this.lost.has(process)) {
      view.violation(`${process.name} asks for generation ${generation} after it has lost one`);
    }
  }
}
