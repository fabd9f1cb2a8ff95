/**
 * Bounded queues: what a slow or silent backup costs the primary's memory has a limit, apart from
 * what one slice of execution adds before the guest stands still.
 */

import { ENTRY_BYTES } from '../entry.js';
import type { View } from './view.js';

/** Entries and held bytes that one slice can add. */
const SLICE_BYTES = 24 * ENTRY_BYTES;
const SLICE_HELD_BYTES = 8 * 64;

export function checkQueues(view: View): void {
  const { limits } = view.configuration;
  for (const { core, process } of view.primaries) {
    const { unackedBytes, unreplayedBytes, heldBytes } = core.figures(0);
    const logBytes = Math.max(unackedBytes, unreplayedBytes);
    if (logBytes > limits.unackedBytes + SLICE_BYTES) {
      view.violation(`${process.name} keeps ${logBytes} bytes of log`);
    }
    if (heldBytes > limits.heldBytes + SLICE_HELD_BYTES) {
      view.violation(`${process.name} holds ${heldBytes} bytes of output`);
    }
  }
}
