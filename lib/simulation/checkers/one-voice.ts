/**
 * One voice per epoch: in each epoch at most one process speaks, and only the one that the
 * arbiter's record names.
 */

import { sameHolder } from '../../protocol/arbiter.js';
import type { Process } from '../process.js';
import { holderOf } from '../simulated-arbiter.js';
import type { View } from './view.js';

export class OneVoice {
  private readonly speakers = new Map<bigint, Process>();

  emitted(view: View, process: Process, epoch: bigint): void {
    const speaker = this.speakers.get(epoch);
    if (speaker === process) return;
    if (speaker !== undefined) {
      view.violation(`${process.name} speaks in epoch ${epoch}, as ${speaker.name} did`);
      return;
    }
    this.speakers.set(epoch, process);
    const holder = view.arbiter.records.get(Number(epoch));
    if (holder === undefined || !sameHolder(holder, holderOf(process))) {
      view.violation(`${process.name} speaks in epoch ${epoch}, which it does not hold`);
    }
  }
}
