/**
 * What a session knows beside its machine, as plain data: enough for another session to go on
 * with the same machine (promotion) or with a copy of it (snapshot).
 */

import { Hash64 } from '../base/hash.js';
import type { Machine } from '../machine/machine.js';
import type { CheckState } from './state-check.js';
import type { StreamState } from './output-streams.js';

export interface SessionState extends CheckState {
  /** Last entry written or applied. */
  readonly seq: bigint;
  /** Epoch that wrote it; 0 before the first. */
  readonly epoch: bigint;
  readonly streams: readonly StreamState[];
}

/** The state of a log whose first entry will be `firstSeq`, for a machine just built. */
export function freshState(machine: Machine, firstSeq: bigint): SessionState {
  const step = machine.step(0);
  return {
    seq: firstSeq - 1n,
    epoch: 0n,
    streams: [],
    words: machine.words(),
    history: new Hash64().save(),
    checkStep: step,
    pageCheckStep: step,
  };
}
