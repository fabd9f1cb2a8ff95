/**
 * The exit status of a process whose machine ended in order: the guest's own, as far as a process
 * has room for it.
 */

import type { MachineStop } from '../machine/machine.js';

/** A guest's own status as far as a process can give it; power-off and reset are success. */
export function statusOfStop(stop: MachineStop): number {
  return stop.status === 0 ? 0 : Math.max(1, stop.status & 0xff);
}
