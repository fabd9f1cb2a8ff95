/**
 * Equal state: after each entry a replica's state is what the recorder's was. A replica whose bits
 * a fault has flipped may differ until the next comparison, which must find it.
 */

import type { Entry, Replica } from '../entry.js';
import type { Process } from '../process.js';
import type { View } from './view.js';

export function checkReplayed(view: View, process: Process, replica: Replica, entry: Entry): void {
  const isEqual = replica.guest.digest() === entry.after;
  if (isEqual || (replica.isFlipped && entry.kind !== 'state-hash')) return;
  view.violation(`${process.name} differs from the record after entry ${entry.seq}`);
}
