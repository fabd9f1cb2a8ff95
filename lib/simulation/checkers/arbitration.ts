/**
 * Arbitration: who lost a generation never asks for it again, nor for a later one in the same
 * life.
 */

import type { ArbiterAnswer } from '../../protocol/arbiter.js';
import type { Process } from '../process.js';
import type { View } from './view.js';

export class Losers {
  private readonly lost = new Set<Process>();

  answered(process: Process, answer: ArbiterAnswer): void {
    if (answer.outcome === 'lost') this.lost.add(process);
  }

  claimed(view: View, process: Process, generation: bigint): void {
    if (this.lost.has(process)) {
      view.violation(`${process.name} asks for generation ${generation} after it has lost one`);
    }
  }
}
