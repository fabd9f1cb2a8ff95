/**
 * What goes into a `PrimaryCore` and what comes out: plain data, no behaviour.
 *
 * The host (primary/, or the simulator) turns sockets, timers and the recording session into
 * inputs, calls `step`, and carries out the effects in their order before it gives the next
 * input. Sequence numbers, epochs and offsets are those of lib/event; times are milliseconds of
 * a monotonic clock and may have a fraction.
 *
 * A `session` is a number that the host draws for each stream of a backup; inputs of a session
 * that has ended are ignored, so late callbacks do no harm.
 */

import type { ArbiterAnswer, Holder } from './arbiter.js';

/** States of the primary's role. The diagram stands in primary-core.ts. */
export type PrimaryState =
  /** Waits for the arbiter to grant generation 1; the guest does not run. */
  | 'starting'
  /** Runs alone; outputs leave at once. Ends when a backup opens a stream. */
  | 'solo'
  /** A backup loads and catches up; still unprotected, outputs leave at once. */
  | 'joining'
  /** The protection entry is logged; outputs wait; ends with its ack or the backup's loss. */
  | 'protecting'
  /** Every output waits for the acks of its mark. Ends with the loss of a backup that counts. */
  | 'protected'
  /** The backup is lost; outputs wait until the arbiter grants the next generation. */
  | 'arbitrating'
  /** A newer epoch exists or may exist; this process says nothing more. Terminal. */
  | 'fenced'
  /** The guest switched off and its last output is committed. Terminal. */
  | 'stopped';

/** What a backup follows for. */
export type Purpose = 'protect' | 'verify';

/** Where the primary has a backup. The diagram stands in primary-session.ts. */
export type Stage =
  /** Stands by without the machine, until it is wanted. */
  | 'waiting'
  /** Loads and catches up; it can't promote in this epoch. */
  | 'joining'
  /** It may have the protection entry of this epoch, so output waits for its acks. */
  | 'counted'
  /** Follows and compares; nothing waits for it, and it never promotes. */
  | 'verifying';

/** Whether one failure now would lose acknowledged work, in the words of health and metrics. */
export type Protection = 'unprotected' | 'joining' | 'protected' | 'holding' | 'fenced' | 'stopped';

/** Why a stream is closed by one of its ends; carried to the peer where it can still be reached. */
export type CloseReason =
  /** The guest switched off in order; nobody is to promote. */
  | 'stopped'
  /** Enough others stand by, or no epoch is open yet; ask again later. */
  | 'busy'
  /** Protocol, machine or images differ. Final. */
  | 'incompatible'
  /** This node is no primary (any more). */
  | 'not-primary'
  /** The peer's epoch is older than this end's. */
  | 'stale-epoch'
  /** Acks or data break the rules: gap, wrong epoch, wrong chain, ack of what was never sent. */
  | 'protocol-violation'
  /** Nothing was heard, or no progress seen, for the time that policy allows. */
  | 'timeout'
  /** A snapshot could not be taken or loaded. */
  | 'snapshot-failed'
  /** The replica's state differs; it halts. */
  | 'diverged';

/** What a new primary inherits from the backup it was. */
export interface Takeover {
  /** The generation that was won; the host logs its `epoch` entry first. */
  readonly epoch: bigint;
  /** Last complete entry; everything up to it has been replayed, and every hart's horizon. */
  readonly lastSeq: bigint;
  /** Outputs marked up to here surely left the old primary; those beyond are sent again. */
  readonly releasedSeq: bigint;
  /** The guest had switched off: only its last outputs are left to be sent. */
  readonly guestStopped: boolean;
}

export type PrimaryInput =
  /** First input, exactly once. */
  | { readonly kind: 'start' }
  /** Entries were appended to the log, in order and without a gap. */
  | {
      readonly kind: 'recorded';
      readonly firstSeq: bigint;
      readonly lastSeq: bigint;
      readonly bytes: number;
      readonly hasOutputMark: boolean;
    }
  /** The `epoch` entry that a `log-epoch` effect asked for stands at `seq` (also `recorded`). */
  | { readonly kind: 'epoch-logged'; readonly seq: bigint; readonly epoch: bigint }
  /** The host holds `bytes` of output that may leave once the log is committed up to `seq`. */
  | { readonly kind: 'output'; readonly seq: bigint; readonly bytes: number }
  /** A backup opened a stream and said hello. */
  | {
      readonly kind: 'backup-opened';
      readonly session: number;
      /** What it is for; to protect by default. */
      readonly purpose?: Purpose;
      /** Last complete entry in its memory, 0 if none. */
      readonly position: bigint;
      /** Newest epoch it knows, 0 if none. */
      readonly epoch: bigint;
      /** Protocol version, layout, machine and image digests are equal. */
      readonly compatible: boolean;
      /** Its chain hash at `position` is ours and every later entry is still at hand. */
      readonly resumable: boolean;
    }
  | {
      readonly kind: 'ack';
      readonly session: number;
      readonly epoch: bigint;
      /** In the backup's memory, complete. */
      readonly receivedSeq: bigint;
      /** On the backup's disk. */
      readonly durableSeq: bigint;
      /** Applied by the backup's machine. */
      readonly replayedSeq: bigint;
      /** The chain hash in the ack equals ours at `receivedSeq`. */
      readonly chainMatches: boolean;
    }
  | { readonly kind: 'backup-closed'; readonly session: number }
  /** The transport's buffer is full (`write()` said false), or empty again. */
  | { readonly kind: 'blocked'; readonly session: number }
  | { readonly kind: 'writable'; readonly session: number }
  /** The snapshot contains every entry up to `seq` and goes out on the stream before the next. */
  | { readonly kind: 'snapshot-taken'; readonly session: number; readonly seq: bigint }
  | { readonly kind: 'snapshot-failed'; readonly session: number }
  | { readonly kind: 'claimed'; readonly generation: bigint; readonly answer: ArbiterAnswer }
  /** The guest switched off; the control entry stands at `seq` and nothing follows it. */
  | { readonly kind: 'guest-stopped'; readonly seq: bigint }
  /**
   * Time passed. Due at `wakeAtMs()` at the latest; more often does no harm. `loopLagMs` is by how
   * much this tick is late: time in which this process did not run, so in which silence proves
   * nothing.
   */
  | { readonly kind: 'tick'; readonly loopLagMs: number };

export type FenceCause =
  /** Generation 1 has an owner: this machine ran before, or runs elsewhere. */
  | 'generation-taken'
  /** The backup won the generation that this primary wanted to go on alone in. */
  | 'lost-arbitration'
  /** A peer knows a newer epoch. */
  | 'newer-epoch';

export type PrimaryEffect =
  /** For the log, the trace and the metrics; nothing to do. */
  | {
      readonly kind: 'transition';
      readonly from: PrimaryState;
      readonly to: PrimaryState;
      readonly cause: string;
    }
  /** Ask the arbiter; the answer comes back as `claimed`. */
  | { readonly kind: 'claim'; readonly generation: bigint }
  /**
   * Append an `epoch` entry now, then give `recorded` and `epoch-logged`. The first entry of a
   * number opens the epoch; a second of the same number begins its protection.
   */
  | {
      readonly kind: 'log-epoch';
      readonly epoch: bigint;
      readonly purpose: 'open' | 'protect';
    }
  /** The stream is welcome, and nothing but heartbeats follows until `answer-hello`. */
  | { readonly kind: 'stand-by'; readonly session: number; readonly epoch: bigint }
  /** Accept the stream: resume after `seq`, or a snapshot follows (`take-snapshot`). */
  | {
      readonly kind: 'answer-hello';
      readonly session: number;
      readonly epoch: bigint;
      readonly mode: 'resume' | 'snapshot';
      readonly seq: bigint;
    }
  /** Stop at a safepoint, copy the machine, go on, send the copy; then `snapshot-taken`. */
  | { readonly kind: 'take-snapshot'; readonly session: number }
  /** Send these entries as one batch with end mark, epoch and released watermark. */
  | {
      readonly kind: 'send-batch';
      readonly session: number;
      readonly epoch: bigint;
      readonly firstSeq: bigint;
      readonly lastSeq: bigint;
      readonly releasedSeq: bigint;
      /** Output waits for this backup: a protection entry in the batch is meant for it. */
      readonly counted: boolean;
    }
  /** Send a heartbeat; the host adds each hart's steps. */
  | {
      readonly kind: 'send-heartbeat';
      readonly session: number;
      readonly epoch: bigint;
      readonly lastSeq: bigint;
      readonly releasedSeq: bigint;
      readonly timeMs: number;
    }
  /** Outputs marked up to `throughSeq` leave with `epoch`; inputs likewise are answered. */
  | { readonly kind: 'release'; readonly throughSeq: bigint; readonly epoch: bigint }
  /** After a takeover: outputs marked beyond `afterSeq` leave (again), stamped with `epoch`. */
  | { readonly kind: 'resend'; readonly afterSeq: bigint; readonly epoch: bigint }
  /** After a takeover: tell switches and clients where the machine is now. */
  | { readonly kind: 'announce'; readonly epoch: bigint }
  /** Entries up to here need not be kept in memory for backups; null: none for their sake. */
  | { readonly kind: 'trim'; readonly throughSeq: bigint | null }
  /** The guest may use this share of its instruction budget; 1000 is all. */
  | { readonly kind: 'set-throttle'; readonly permille: number }
  | { readonly kind: 'pause-guest'; readonly cause: 'log-full' | 'output-full' }
  | { readonly kind: 'resume-guest' }
  | { readonly kind: 'close-stream'; readonly session: number; readonly reason: CloseReason }
  /** Say nothing more to anybody and exit with FENCED. */
  | { readonly kind: 'fence'; readonly cause: FenceCause; readonly holder: Holder | null }
  /** Exit in order: everything committed and released. */
  | { readonly kind: 'stop' };

/** One stream of a backup. */
export interface StreamFigures {
  readonly session: number;
  readonly stage: Stage;
  readonly receivedSeq: bigint;
  readonly replayedSeq: bigint;
}

/** Figures for metrics and status. */
export interface PrimaryFigures {
  readonly state: PrimaryState;
  readonly protection: Protection;
  readonly epoch: bigint;
  readonly lastSeq: bigint;
  readonly committedSeq: bigint;
  readonly receivedSeq: bigint;
  readonly replayedSeq: bigint;
  readonly unackedBytes: number;
  readonly unreplayedBytes: number;
  readonly heldBytes: number;
  readonly lagMs: number;
  readonly throttlePermille: number;
  /** The streams of backups, in the order in which they came. */
  readonly backups: readonly StreamFigures[];
}
