/**
 * What the main thread and a hart's worker say to each other, and the control words they share.
 *
 * Orders and reports are plain data in messages, in order. The control words carry only what must
 * be seen without a message: a bell that tells a running worker to look at its mail, flags, and
 * the progress that a heartbeat reads. The worker never returns to an event loop, so it takes its
 * mail with `receiveMessageOnPort` and looks only after the bell has changed.
 */

import type { LogEntry, InputStream, OutputStream } from '../event/event.js';
import { MAX_HARTS, type MachineConfig, type MachineImages } from '../machine/config.js';
import type { EngineOptions } from '../machine/engine.js';
import type { MachineStop } from '../machine/machine.js';
import { LockstepError, type ErrorCode } from '../base/error.js';
import type { CopyPart, CopyStep } from '../session/page-copy.js';
import type { StoredPages } from '../session/page-store.js';
import type { FlushMode } from './log-store/writer.js';
import type { DiskFiles } from './overlay-file.js';

/** Console bytes on their way into the machine. */
export interface ConsoleInputOrder {
  readonly stream: InputStream;
  /** 0 is "no client": never deduplicated. */
  readonly client: bigint;
  /**
   * Position in the client's own input stream after the last byte of `bytes`: the number of bytes
   * that this client has sent in all, these included. So a chunk that is sent again, whole, in
   * part or cut differently, enters the machine once.
   */
  readonly sequence: bigint;
  readonly bytes: Uint8Array;
}

/** Output bytes and the log position that must be acknowledged before they may leave. */
export interface OutputReport {
  /** Sequence number of the output mark that covers them; 0 in a host that keeps no log. */
  readonly seq: bigint;
  readonly stream: OutputStream;
  /** Stream position of the first byte. */
  readonly offset: bigint;
  readonly bytes: Uint8Array;
}

/** All of `client`'s input up to `sequence` is in the log at or before `seq`. */
export interface InputLoggedReport {
  readonly client: bigint;
  readonly sequence: bigint;
  readonly seq: bigint;
}

/** What is known about the end of one output stream when a replay is promoted. */
export interface StreamTail {
  readonly stream: OutputStream;
  /** Stream position of the first byte of `bytes`; output before it is no longer kept. */
  readonly offset: bigint;
  /** Everything kept up to the end of the stream so far. */
  readonly bytes: Uint8Array;
  /** Output before it is known to have left the primary. */
  readonly released: bigint;
}

export interface PromotionReport {
  /** Sequence number of the epoch entry, the first entry that this host writes itself. */
  readonly seq: bigint;
  readonly steps: readonly bigint[];
  /** The check with pages that follows the epoch: it says where the machine stood. */
  readonly check: { readonly seq: bigint; readonly hash: bigint };
  readonly outputs: readonly StreamTail[];
}

export interface SnapshotReport {
  /** The next entry of a log that continues from here has `seq + 1`. */
  readonly seq: bigint;
  readonly bytes: Uint8Array;
  /** For how long the guest stood still. */
  readonly tookNs: bigint;
}

/** A step of a copy, and for how long the guest stood still for it. */
export interface CopyReport extends CopyPart {
  readonly tookNs: bigint;
}

/** A look at the machine between two slices. */
export interface InspectionReport {
  readonly digest: string;
  /** Last entry logged (record) or applied (replay). */
  readonly seq: bigint;
  readonly steps: readonly bigint[];
  readonly retired: readonly bigint[];
  readonly time: bigint;
  readonly stopped: MachineStop | null;
  /** The words that are not zero, by name. */
  readonly words: readonly (readonly [name: string, value: bigint])[];
}

/** Plain form of an error: classes do not travel between threads. */
export interface PackedError {
  readonly code: ErrorCode | null;
  readonly message: string;
  readonly stack: string;
  readonly fields: Readonly<Record<string, string | number | bigint>>;
}

export type Order =
  | { readonly kind: 'input'; readonly input: ConsoleInputOrder }
  | { readonly kind: 'frames'; readonly frames: readonly Uint8Array[] }
  | { readonly kind: 'feed'; readonly entries: readonly LogEntry[] }
  | { readonly kind: 'promote'; readonly request: number; readonly epoch: bigint }
  | { readonly kind: 'snapshot'; readonly request: number }
  | { readonly kind: 'copy'; readonly request: number; readonly step: CopyStep }
  | {
      readonly kind: 'write-start';
      readonly request: number;
      readonly directory: string;
      readonly flush: FlushMode;
    }
  | { readonly kind: 'inspect'; readonly request: number }
  | { readonly kind: 'hash-state'; readonly request: number }
  | { readonly kind: 'outputs'; readonly request: number }
  | {
      readonly kind: 'read-ram';
      readonly request: number;
      readonly address: bigint;
      readonly bytes: number;
    }
  | { readonly kind: 'released'; readonly stream: OutputStream; readonly offset: bigint }
  | { readonly kind: 'epoch'; readonly epoch: bigint }
  | { readonly kind: 'power-off' }
  /** The listener is in place; nothing is reported before. */
  | { readonly kind: 'go' };

export type Report =
  | { readonly kind: 'ready'; readonly digest: string; readonly hartCount: number }
  | {
      readonly kind: 'slice';
      readonly costBytes: number;
      /** The process's monotonic clock when the worker sent this. */
      readonly atNs: bigint;
      readonly entries: readonly LogEntry[];
      readonly outputs: readonly OutputReport[];
      readonly inputs: readonly InputLoggedReport[];
    }
  | {
      readonly kind: 'progress';
      readonly steps: readonly bigint[];
      readonly time: bigint;
      readonly parked: boolean;
      readonly seq: bigint;
    }
  | { readonly kind: 'reached'; readonly step: bigint }
  | { readonly kind: 'stopped'; readonly stop: MachineStop; readonly seq: bigint }
  | { readonly kind: 'diverged'; readonly error: PackedError }
  | { readonly kind: 'fatal'; readonly error: PackedError }
  | { readonly kind: 'answer'; readonly request: number; readonly answer: Answer }
  | { readonly kind: 'refused'; readonly request: number; readonly error: PackedError };

export type Answer =
  | { readonly kind: 'promoted'; readonly promotion: PromotionReport }
  | { readonly kind: 'snapshot'; readonly snapshot: SnapshotReport }
  | { readonly kind: 'copied'; readonly copy: CopyReport }
  | { readonly kind: 'start-written' }
  | { readonly kind: 'inspection'; readonly inspection: InspectionReport }
  | { readonly kind: 'state-hash'; readonly hash: bigint }
  | { readonly kind: 'outputs'; readonly outputs: readonly StreamTail[] }
  | { readonly kind: 'ram'; readonly bytes: Uint8Array };

/** Where the machine's life begins. */
export type HostStart =
  | { readonly kind: 'boot' }
  | {
      readonly kind: 'snapshot';
      readonly snapshot: Uint8Array;
      /** Pages that the snapshot lacks, since they were copied before. */
      readonly copied?: StoredPages;
    };

export type HostRole =
  /** Writes the log. Its first entry is `epoch`, at sequence number `firstSeq`. */
  | { readonly kind: 'record'; readonly epoch: bigint; readonly firstSeq: bigint }
  /**
   * Follows a log whose first entry fed has sequence number `firstSeq`. `epoch` is the one before
   * that entry; by default the one of the snapshot.
   */
  | { readonly kind: 'replay'; readonly firstSeq: bigint; readonly epoch?: bigint }
  /** Runs without a log: nothing is hashed or reported but output. */
  | { readonly kind: 'free' };

/**
 * `host`: virtual time follows the host's monotonic clock by logged re-bases and wakes.
 * `steps`: virtual time is a function of the step count alone; a parked hart wakes at once at its
 * timer's deadline, so that a run without input depends on nothing outside.
 */
export type ClockMode = 'host' | 'steps';

/** Given to the worker at its start. */
export interface WorkerStart {
  readonly config: MachineConfig;
  readonly images: MachineImages;
  readonly engine: EngineOptions;
  readonly disks: readonly DiskFiles[];
  readonly machineFactory: string;
  readonly start: HostStart;
  readonly role: HostRole;
  readonly clock: ClockMode;
  readonly untilStep: bigint | null;
  readonly reportBudgetBytes: number;
  readonly control: SharedArrayBuffer;
}

/** 32-bit control words. */
export const CONTROL = {
  /** Counts orders and flag changes; the worker waits here when it has nothing to do. */
  bell: 0,
  stop: 1,
  pause: 2,
  throttlePermille: 3,
  /** Report bytes posted and not yet consumed; the worker waits here when it is over budget. */
  unconsumedBytes: 4,
  parked: 5,
} as const;
const CONTROL_WORDS = 8;

/** 64-bit progress words, after the control words. */
export const PROGRESS = {
  time: 0,
  seq: 1,
  /** Of the compiler; see `RegionStatistics`. */
  regionsCompiled: 2,
  regionsDropped: 3,
  compiledInstructions: 4,
  regionsLive: 5,
  codeBytes: 6,
  compileNs: 7,
  /** One for each hart from here on. */
  steps: 8,
} as const;

export interface ControlBlock {
  readonly words: Int32Array;
  readonly progress: BigInt64Array;
}

export function createControlBuffer(): SharedArrayBuffer {
  return new SharedArrayBuffer(CONTROL_WORDS * 4 + (PROGRESS.steps + MAX_HARTS) * 8);
}

export function viewControl(buffer: SharedArrayBuffer): ControlBlock {
  return {
    words: new Int32Array(buffer, 0, CONTROL_WORDS),
    progress: new BigInt64Array(buffer, CONTROL_WORDS * 4),
  };
}

export function packError(error: unknown): PackedError {
  if (error instanceof LockstepError) {
    const { code, message, fields } = error;
    return { code, message, stack: error.stack ?? '', fields };
  }
  if (error instanceof Error) {
    const { name, message } = error;
    return { code: null, message: `${name}: ${message}`, stack: error.stack ?? '', fields: {} };
  }
  return { code: null, message: String(error), stack: '', fields: {} };
}

export function unpackError(packed: PackedError): Error {
  const error =
    packed.code === null
      ? new Error(packed.message)
      : new LockstepError(packed.code, packed.message, packed.fields);
  if (packed.stack !== '') error.stack = packed.stack;
  return error;
}

/** What of an answer is handed over instead of copied. */
export function handedOver(answer: Answer): Uint8Array | null {
  if (answer.kind === 'snapshot') return answer.snapshot.bytes;
  return answer.kind === 'copied' ? answer.copy.bytes : null;
}
