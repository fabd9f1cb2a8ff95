/**
 * What a recording session is given: the machine, the ports to the host, and where the log stands.
 */

import type { Machine } from '../machine/machine.js';
import type { SessionState } from './session-state.js';

export interface RecordPorts {
  /** Host time that never goes back; it decides rates and wakes, which are logged. */
  monotonicNs(): bigint;
  /** Random bytes for the guest; they are logged. */
  randomBytes(count: number): Uint8Array;
}

export interface RecordOptions {
  readonly machine: Machine;
  readonly ports: RecordPorts;
  /** Where the log stands: of a fresh machine, a snapshot, or the replay that is promoted. */
  readonly state: SessionState;
  /** Logged first; greater than the epoch of `state`. */
  readonly epoch: bigint;
  readonly clock: 'host' | 'steps';
  /** Ticks a step at power-on, the middle of the rates that the clock may choose. */
  readonly initialRate: bigint;
  /** False runs the machine without a log: no entries, no checks, output with `seq` 0. */
  readonly log: boolean;
  /** The session never runs hart 0 beyond this step. */
  readonly untilStep?: bigint;
}
