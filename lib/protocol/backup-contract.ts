/**
 * What goes into a `BackupCore` and what comes out: plain data, no behaviour.
 *
 * As in primary-contract.ts. A `stream` is the number that the core gave in `dial`; inputs of
 * another stream than the current one are ignored.
 */

import type { ArbiterAnswer, Holder } from './arbiter.js';
import type { BackupPolicy } from './backup-policy.js';
import type { PairLimits } from './limits.js';
import type { CloseReason, Purpose, Takeover } from './primary-contract.js';

export interface BackupOptions {
  readonly limits: PairLimits;
  /** Where a primary may be found, tried in turn; at least one. */
  readonly addresses: readonly string[];
  /** Last complete entry already held (from files), 0 for none. */
  readonly position: bigint;
  /** Number of the last `epoch` entry up to `position`, 0 for none. */
  readonly logEpoch: bigint;
  /** To protect by default. */
  readonly purpose?: Purpose;
  /** Whether a backup that loses an arbitration follows the winner instead of halting. */
  readonly rejoins?: boolean;
  /** Rules of safety; only tests give others than `BACKUP_POLICY`. */
  readonly policy?: BackupPolicy;
}

/** States of the backup's role. The diagram stands in backup-core.ts. */
export type BackupState =
  /** No stream; dials or waits to dial again. Never promotes from here. */
  | 'dialing'
  /** The stream is open and hello is said; the primary answers or the stream ends. */
  | 'greeting'
  /** Enough others protect the primary; only heartbeats come. Never promotes from here. */
  | 'waiting'
  /** A snapshot arrives; ends when it is loaded. */
  | 'loading'
  /** Receives and replays, but has not applied the protection entry. Never promotes from here. */
  | 'following'
  /** Has the protection entry of the session's epoch: on the primary's loss it arbitrates. */
  | 'protecting'
  /** The primary is lost; waits for the arbiter, as long as it takes. */
  | 'arbitrating'
  /** Won; the machine drains to the last complete entry and the last horizon. */
  | 'promoting'
  /** A `PrimaryCore` carries on. Terminal. */
  | 'promoted'
  /** Stopped, lost, refused or diverged. Terminal. */
  | 'halted';

export type BackupInput =
  /** First input, exactly once. */
  | { readonly kind: 'start' }
  | { readonly kind: 'connected'; readonly stream: number }
  /** The stream ended; `reason` is what the peer said, null if it just broke. */
  | { readonly kind: 'closed'; readonly stream: number; readonly reason: CloseReason | null }
  /** As `closed` with 'not-primary', but the node knows who is primary. */
  | { readonly kind: 'redirected'; readonly stream: number; readonly primary: string | null }
  | {
      readonly kind: 'hello-answered';
      readonly stream: number;
      readonly epoch: bigint;
      readonly mode: 'resume' | 'snapshot';
      readonly seq: bigint;
    }
  /** The hello is welcome, and answered when this backup is wanted. */
  | { readonly kind: 'told-to-wait'; readonly stream: number; readonly epoch: bigint }
  /** A piece of the snapshot arrived; it proves that the primary lives. */
  | { readonly kind: 'snapshot-chunk'; readonly stream: number }
  /** The machine now has the state after entry `seq`. */
  | { readonly kind: 'snapshot-loaded'; readonly stream: number; readonly seq: bigint }
  | { readonly kind: 'snapshot-failed'; readonly stream: number }
  /** Input of a batch; a batch counts as a heartbeat. */
  | {
      readonly kind: 'batch';
      readonly stream: number;
      readonly epoch: bigint;
      readonly firstSeq: bigint;
      readonly lastSeq: bigint;
      readonly releasedSeq: bigint;
      /** The primary's output waits for this backup. */
      readonly counted: boolean;
      /** End mark present, checksum right, chain hash follows the last entry held. */
      readonly intact: boolean;
      /** The `epoch` entries in it, in order. */
      readonly epochs: readonly { readonly seq: bigint; readonly epoch: bigint }[];
      /** Position of a power-off entry in it. */
      readonly powerOffSeq: bigint | null;
      /** More messages of the same read follow; the ack waits for the last of them. */
      readonly more: boolean;
    }
  | {
      readonly kind: 'heartbeat';
      readonly stream: number;
      readonly epoch: bigint;
      readonly lastSeq: bigint;
      readonly releasedSeq: bigint;
    }
  /** Received entries up to `seq` are on this node's disk. */
  | { readonly kind: 'durable'; readonly seq: bigint }
  /** The machine has applied entries up to `seq`. */
  | { readonly kind: 'replayed'; readonly seq: bigint }
  /** Replay met a difference at `seq`. */
  | { readonly kind: 'diverged'; readonly seq: bigint }
  | { readonly kind: 'claimed'; readonly generation: bigint; readonly answer: ArbiterAnswer }
  /** Everything asked for by `drain` is applied and every hart stands at its last horizon. */
  | { readonly kind: 'drained'; readonly seq: bigint }
  /**
   * Time passed. Due at `wakeAtMs()` at the latest. `loopLagMs` is by how much this tick is late:
   * time in which this process did not run, so in which silence proves nothing.
   */
  | { readonly kind: 'tick'; readonly loopLagMs: number };

export type HaltCause =
  /** The guest switched off in order. Exit status 0. */
  | 'stopped'
  /** Somebody else holds the next generation. Exits FENCED; never claims that generation again. */
  | 'lost-arbitration'
  /** Replay differs from the record. Exits DIVERGED. */
  | 'diverged'
  /** The primary refused this machine for good. Exits INCOMPATIBLE_PEER. */
  | 'incompatible';

export type BackupEffect =
  /** For the log, the trace and the metrics; nothing to do. */
  | {
      readonly kind: 'transition';
      readonly from: BackupState;
      readonly to: BackupState;
      readonly cause: string;
    }
  /** Open a stream; `connected` or `closed` comes back. */
  | { readonly kind: 'dial'; readonly stream: number; readonly address: string }
  /** Say hello; the host adds digests and the chain hash at `position`. */
  | {
      readonly kind: 'send-hello';
      readonly stream: number;
      readonly position: bigint;
      readonly epoch: bigint;
    }
  /** Drop machine and log; what arrives on the stream next is a snapshot. */
  | { readonly kind: 'load-snapshot'; readonly stream: number }
  /** Answers batches and heartbeats; at most one for each read. The host adds the chain hash. */
  | {
      readonly kind: 'send-ack';
      readonly stream: number;
      readonly epoch: bigint;
      readonly receivedSeq: bigint;
      readonly durableSeq: bigint;
      readonly replayedSeq: bigint;
    }
  /** The batch is to be kept (and written, if this node keeps files), then replayed. */
  | { readonly kind: 'accept'; readonly firstSeq: bigint; readonly lastSeq: bigint }
  | { readonly kind: 'close-stream'; readonly stream: number; readonly reason: CloseReason }
  /** Ask the arbiter; the answer comes back as `claimed`. */
  | { readonly kind: 'claim'; readonly generation: bigint }
  /** Replay everything up to `throughSeq`, run every hart to its last horizon, then `drained`. */
  | { readonly kind: 'drain'; readonly throughSeq: bigint }
  /** Make a `PrimaryCore` with this takeover and start it. */
  | { readonly kind: 'become-primary'; readonly takeover: Takeover }
  /** Exit; `holder` is who won, where known. */
  | { readonly kind: 'halt'; readonly cause: HaltCause; readonly holder: Holder | null };

/** Figures for metrics and status. */
export interface BackupFigures {
  readonly state: BackupState;
  readonly epoch: bigint;
  readonly receivedSeq: bigint;
  readonly replayedSeq: bigint;
  readonly durableSeq: bigint;
  /** Last entry the primary said it had recorded, and when that was heard. */
  readonly primarySeq: bigint;
  readonly heardMs: number;
}
