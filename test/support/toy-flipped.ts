/**
 * The toy machine with a fault: after a while one bit of its RAM flips by itself, as a cosmic ray
 * would do it. Only the state hash over pages can see it.
 */

import type { Point } from '../../lib/event/event.js';
import type { MachineConfig, MachineImages } from '../../lib/machine/config.js';
import type { RunResult } from '../../lib/machine/machine.js';
import { ToyMachine } from './toy-machine.js';

const FLIP_AT_STEP = 50_000n;
/** In a page that the ledger writes now and then, beside what it writes. */
const FLIPPED_BYTE = 4096 * 5 + 100;

class FlippedToyMachine extends ToyMachine {
  private isFlipped = false;

  override runUntil(point: Point, mostSteps?: bigint): RunResult {
    const result = super.runUntil(point, mostSteps);
    if (!this.isFlipped && this.step(0) >= FLIP_AT_STEP) {
      this.isFlipped = true;
      this.ram[FLIPPED_BYTE] = (this.ram[FLIPPED_BYTE] ?? 0) ^ 4;
    }
    return result;
  }
}

export function createMachine(config: MachineConfig, images: MachineImages): ToyMachine {
  return new FlippedToyMachine(config, images);
}
