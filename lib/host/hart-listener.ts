/**
 * What a host tells about its machine, and when. Implemented by whoever starts one.
 */

import type { LockstepError } from '../base/error.js';
import type { LogEntry } from '../event/event.js';
import type { MachineStop } from '../machine/machine.js';
import type { InputLoggedReport, OutputReport } from './hart-messages.js';

export interface HartProgress {
  /** Steps counted, by hart. */
  readonly steps: readonly bigint[];
  /** Virtual time of hart 0 in timebase ticks. */
  readonly time: bigint;
  readonly parked: boolean;
  /** Last entry logged (record) or applied (replay). */
  readonly seq: bigint;
}

/** What the compiler has done so far, and what it keeps; all 0 where everything is interpreted. */
export interface EngineFigures {
  readonly regionsCompiled: number;
  readonly regionsDropped: number;
  readonly compiledInstructions: number;
  readonly regionsLive: number;
  /** WebAssembly of the live regions. */
  readonly codeBytes: number;
  readonly compileSeconds: number;
}

/**
 * What a host tells. Calls come in the order of the log; of one slice first the entries, then the
 * outputs that they cover. A listener that can't take more returns a promise: what it was given
 * counts as unconsumed until that is settled.
 */
export interface HartListener {
  /** Entries this host has recorded, without gaps. Never called in replay before promotion. */
  onEntries?(entries: readonly LogEntry[]): void | Promise<void>;
  /**
   * Output of a recording host, marked at `atNs` of the process's monotonic clock. In replay output
   * is swallowed and kept for the promotion.
   */
  onOutput?(output: OutputReport, atNs: bigint): void | Promise<void>;
  /** Also called for input that was already in the log. */
  onInputLogged?(input: InputLoggedReport): void;
  /** A few times a second while something moves, and on parking. `progress()` has it any time. */
  onProgress?(progress: HartProgress): void;
  /** The step given as `untilStep` is reached; the host rests there and can be inspected. */
  onReached?(step: bigint): void;
  /** The guest has stopped the machine, in record or in replay. Nothing will follow. */
  onStopped?(stop: MachineStop, seq: bigint): void;
  /**
   * Replay differs from the log: DIVERGED, fields name what and where; or the log can't be of this
   * machine at all: BAD_LOG. The host rests.
   */
  onDiverged?(error: LockstepError): void;
  /** The worker failed. Whatever state it had is lost and must never be promoted. */
  onFatal(error: Error): void;
}
