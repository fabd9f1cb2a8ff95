/**
 * Every limit of the pair in one place, each with its reason; the relations between them are
 * asserted when this file is loaded and again for limits that a user or the simulator chose.
 */

import { assert } from '../base/assert.js';

/** Times in milliseconds of a monotonic clock, sizes in bytes of packed log records. */
export interface PairLimits {
  /** Silence of the primary's stream after which it sends a heartbeat. */
  readonly heartbeatMs: number;
  /** Silence after which the backup suspects the primary and goes to the arbiter. */
  readonly suspectMs: number;
  /** Silence of the backup (no ack, not even of a heartbeat) after which it counts as lost. */
  readonly backupSilentMs: number;
  /** Acks arrive but none advances while entries wait: slow is not dead until then. */
  readonly ackStallMs: number;
  /** A joining backup must have loaded its snapshot by then. */
  readonly joinMs: number;
  /** An entry without an output mark waits at most this long for company. */
  readonly batchDelayMs: number;
  /** A batch is sent when this many bytes are pending. */
  readonly batchBytes: number;
  /** Sent or unsent entries without ack; beyond it the guest pauses. */
  readonly unackedBytes: number;
  /** Outputs held back; beyond it the guest pauses. */
  readonly heldBytes: number;
  /** A joining backup is protected once it lacks at most this much. */
  readonly joinLagBytes: number;
  /** ... and once its replica lags by no more than this, or has had `joinSettleMs` to get there. */
  readonly joinLagMs: number;
  readonly joinSettleMs: number;
  /** Wait before an unanswered or refused arbiter question is asked again. */
  readonly arbiterRetryMs: number;
  /** An answer that takes longer is no answer; the question is asked again. */
  readonly arbiterTimeoutMs: number;
  /** First wait before dialing again; doubles up to `redialMaxMs`. */
  readonly redialMs: number;
  readonly redialMaxMs: number;
  /** A dialed stream must be open, and a hello answered, within this time. */
  readonly dialTimeoutMs: number;
  /** Replay progress alone is acked at most this often. */
  readonly ackProgressMs: number;
  /** Replay lag that the throttle aims at. */
  readonly lagTargetMs: number;
  /** Period of the throttle's decisions. */
  readonly throttlePeriodMs: number;
  /** The guest always keeps this share of its budget, in permille. */
  readonly throttleMinPermille: number;
}

/** Defaults of production. */
export const DEFAULT_LIMITS: PairLimits = {
  // 20 a second: ten misses fit into the suspicion time, and an idle pair stays below 0.1 Mbit/s.
  heartbeatMs: 50,
  // A major garbage collection of Node takes 10 to 100 ms, a busy 2-core host stalls a process
  // for 100 to 200 ms; a killed process is seen by its closed stream at once, without this.
  suspectMs: 500,
  // Longer than suspectMs, so that in a partition the backup, which lost its machine, asks first,
  // and so that a backup that stalled and recovers is not thrown out by half a second.
  backupSilentMs: 1_000,
  // Slow is not dead: the throttle has 50 decisions to let a loaded backup catch up.
  ackStallMs: 5_000,
  // 256 MiB at 5 MB/s, which is slower than any network this is meant for.
  joinMs: 60_000,
  // Far below the delay that a person or TCP notices, long enough to pack hundreds of entries.
  batchDelayMs: 1,
  // grpc-js reaches its best throughput with messages of 64 KiB.
  batchBytes: 64 * 1024,
  // A second of heavy logging; bounds the memory that a stalled backup costs the primary.
  unackedBytes: 32 * 1024 * 1024,
  // Above what a console or the frames of one round trip need. It may all leave at once, and half
  // of what nodes keep of the past leaves room for what comes before the guest pauses.
  heldBytes: 512 * 1024,
  // What a batch or two hold: the protection entry then takes one round trip, not a transfer.
  joinLagBytes: 128 * 1024,
  // A failover has to replay the lag first, and a protected guest is slowed until it is gone.
  joinLagMs: 200,
  // A replica whose code is all cold takes two to three seconds.
  joinSettleMs: 10_000,
  // A file arbiter answers in about 2 ms, etcd in about 10 ms.
  arbiterRetryMs: 100,
  arbiterTimeoutMs: 1_000,
  redialMs: 20,
  redialMaxMs: 1_000,
  dialTimeoutMs: 1_000,
  // Replay acks only steer the throttle and the lag metric; output waits for receipt acks.
  ackProgressMs: 10,
  // Adds a tenth of a second to a failover; VMware FT aims at the same order.
  lagTargetMs: 100,
  throttlePeriodMs: 100,
  throttleMinPermille: 20,
};

/** A timeout shorter than this many heartbeats would take one lost packet for a death. */
export const MIN_HEARTBEATS_PER_SUSPICION = 4;

/** Throttle is in permille of the guest's instruction budget. */
export const THROTTLE_FULL_PERMILLE = 1_000;

/**
 * Lateness of a tick up to here is the ordinary grain of timers. Crediting it too would, tick by
 * tick, stretch every timeout.
 */
export function lagGrainMs(limits: PairLimits): number {
  return limits.heartbeatMs / 2;
}

/** Asserts what must hold between the limits; a wrong combination is a wrong configuration. */
export function assertLimits(limits: PairLimits): void {
  for (const [name, value] of Object.entries<number>({ ...limits })) {
    assert(Number.isFinite(value) && value > 0, `limit ${name} is ${value}, not above 0`);
  }
  assert(
    limits.suspectMs >= MIN_HEARTBEATS_PER_SUSPICION * limits.heartbeatMs,
    `suspectMs ${limits.suspectMs} is below ${MIN_HEARTBEATS_PER_SUSPICION} heartbeats ` +
      `of ${limits.heartbeatMs}`,
  );
  assert(
    limits.backupSilentMs >= limits.suspectMs,
    `backupSilentMs ${limits.backupSilentMs} is below suspectMs ${limits.suspectMs}`,
  );
  assert(
    limits.ackStallMs > limits.backupSilentMs,
    `ackStallMs ${limits.ackStallMs} is not above backupSilentMs ${limits.backupSilentMs}: ` +
      `slow would count as dead`,
  );
  assert(limits.joinMs >= limits.ackStallMs, `joinMs ${limits.joinMs} is below ackStallMs`);
  assert(
    limits.batchDelayMs < limits.heartbeatMs,
    `batchDelayMs ${limits.batchDelayMs} is not below heartbeatMs ${limits.heartbeatMs}`,
  );
  assert(
    limits.unackedBytes >= 2 * limits.batchBytes,
    `unackedBytes ${limits.unackedBytes} holds less than two batches of ${limits.batchBytes}`,
  );
  assert(
    limits.joinLagBytes < limits.unackedBytes,
    `joinLagBytes ${limits.joinLagBytes} is not below unackedBytes ${limits.unackedBytes}`,
  );
  assert(
    limits.redialMs <= limits.redialMaxMs,
    `redialMs ${limits.redialMs} is above redialMaxMs ${limits.redialMaxMs}`,
  );
  assert(
    limits.throttleMinPermille < THROTTLE_FULL_PERMILLE,
    `throttleMinPermille ${limits.throttleMinPermille} is not below ${THROTTLE_FULL_PERMILLE}`,
  );
}

assertLimits(DEFAULT_LIMITS);
