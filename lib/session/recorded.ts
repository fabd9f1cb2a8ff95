/**
 * What a recording session says, to whoever drives it. Plain data.
 */

import type { LogEntry, OutputStream } from '../event/event.js';
import type { MachineStop } from '../machine/machine.js';

export interface RecordedOutput {
  readonly seq: bigint;
  readonly stream: OutputStream;
  readonly offset: bigint;
  readonly bytes: Uint8Array;
}

/** Input of `client` up to `sequence` is in the log at or before `seq`. */
export interface LoggedInput {
  readonly client: bigint;
  readonly sequence: bigint;
  readonly seq: bigint;
}

/** What has come about since it was last taken. */
export interface Recorded {
  readonly entries: readonly LogEntry[];
  readonly outputs: readonly RecordedOutput[];
  readonly inputs: readonly LoggedInput[];
}

export type SliceStatus =
  | { readonly kind: 'running' }
  /** Waits for input, or for this much host time if there is a timer; another call is harmless. */
  | { readonly kind: 'parked'; readonly wakeInNs: bigint | null }
  /** At `untilStep`. */
  | { readonly kind: 'reached' }
  | { readonly kind: 'stopped'; readonly stop: MachineStop };

export interface RecordedSnapshot {
  /** Last entry before the snapshot; whoever starts from it continues with `seq + 1`. */
  readonly seq: bigint;
  readonly bytes: Uint8Array;
}
