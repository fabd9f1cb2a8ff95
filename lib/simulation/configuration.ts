/**
 * What a seed means: the shape of the world and the faults that strike it.
 *
 * Swarm testing: each seed draws which kinds of fault it has at all, and how fast everything is,
 * so that rare combinations get seeds of their own instead of drowning in the average.
 */

import type { PairLimits } from '../protocol/limits.js';
import type { AckMode } from '../protocol/primary-policy.js';
import { planFaults } from './faults.js';
import type { Fault } from './faults.js';
import { Random } from './random.js';

export interface Configuration {
  readonly seed: number;
  readonly nodes: number;
  readonly limits: PairLimits;
  readonly ackMode: AckMode;
  readonly sliceMs: number;
  readonly stepsPerSlice: number;
  readonly delayMs: readonly [number, number];
  readonly arbiterDelayMs: number;
  readonly diskMs: number;
  /** Replay speed over the primary's full speed. */
  readonly replayRate: number;
  /** The same while a neighbour takes the backup's processor, which ends at `slowUntilMs`. */
  readonly slowReplayRate: number;
  readonly slowUntilMs: number;
  /** Entries that a primary still has in memory for a backup that comes back. */
  readonly retainedEntries: number;
  readonly snapshotChunks: number;
  readonly snapshotFails: boolean;
  readonly clients: number;
  readonly thinkMs: number;
  /** How long a client waits for an answer before it asks (another node) again. */
  readonly clientTimeoutMs: number;
  readonly restartMs: number;
  /** Generations that a previous life of the machine left in the arbiter. */
  readonly staleGenerations: readonly number[];
  /** Backups that protect at once; other nodes stand by. */
  readonly backups: number;
  /** A node that only verifies, or -1. */
  readonly verifier: number;
  /** Whether a backup that loses an arbitration follows the winner. */
  readonly rejoins: boolean;
  /** A node with other images, or -1. */
  readonly incompatibleNode: number;
  /** When a node of a previous life, which knows a later epoch, dials everybody; or Infinity. */
  readonly elderAtMs: number;
  readonly powerOffAtMs: number;
  readonly faults: readonly Fault[];
  /** Faults end here; then everything must work again. */
  readonly healAtMs: number;
  readonly endAtMs: number;
}

const STREAM_OF_CONFIGURATION = 1;
const STREAM_OF_ROSTER = 6;

/** Limits of a simulated pair: those of production, with faster clocks and smaller queues. */
function drawLimits(random: Random): PairLimits {
  const heartbeatMs = random.pick([20, 30, 50]);
  const suspectMs = heartbeatMs * random.pick([4, 5, 8]);
  return {
    heartbeatMs,
    suspectMs,
    backupSilentMs: suspectMs * random.pick([1, 2]),
    ackStallMs: 1_500,
    joinMs: 2_000,
    batchDelayMs: random.pick([1, 5]),
    batchBytes: random.pick([64, 512]),
    unackedBytes: random.pick([2_048, 8_192]),
    heldBytes: random.pick([512, 8_192]),
    joinLagBytes: 512,
    joinLagMs: 60,
    joinSettleMs: 400,
    arbiterRetryMs: 30,
    arbiterTimeoutMs: 100,
    redialMs: 10,
    redialMaxMs: 100,
    dialTimeoutMs: 100,
    ackProgressMs: 10,
    lagTargetMs: 100,
    throttlePeriodMs: 50,
    throttleMinPermille: 50,
  };
}

/** How many nodes there are beside a pair, and what for. */
function drawRoster(seed: number, pair: number): Roster {
  const random = new Random(seed, STREAM_OF_ROSTER);
  const rejoins = random.chance(0.5);
  if (random.chance(0.6)) return { nodes: pair, backups: 1, verifier: -1, rejoins };
  const backups = random.pick([1, 2, 2]);
  const nodes = backups + random.pick([1, 2, 2]);
  const hasVerifier = nodes > backups + 1 && random.chance(0.5);
  return { nodes: Math.max(nodes, pair), backups, verifier: hasVerifier ? nodes - 1 : -1, rejoins };
}

type Roster = Pick<Configuration, 'nodes' | 'backups' | 'verifier' | 'rejoins'>;

/** The configuration of a seed; the same on every host. */
export function configure(seed: number): Configuration {
  const random = new Random(seed, STREAM_OF_CONFIGURATION);
  const limits = drawLimits(random);
  const hasElder = random.chance(0.05);
  const hasFlip = random.chance(0.08);
  // An elder only matters beside a pair; a flip is found late where replay is slow.
  const pair = hasElder ? 3 : random.pick([2, 2, 3]);
  const roster = drawRoster(seed, pair);
  const { nodes } = roster;
  const isSlow = random.chance(hasFlip ? 0.7 : 0.2);
  const healAtMs = random.pick([800, 1_600, 3_000]);
  const slowestDelayMs = random.pick([0.3, 2, 8]);
  const base = {
    seed,
    ...roster,
    limits,
    ackMode: random.chance(0.2) ? ('durable' as const) : ('received' as const),
    sliceMs: random.pick([5, 10]),
    stepsPerSlice: random.pick([500, 1_000]),
    delayMs: hasElder ? ([4, 8] as const) : ([0.1, slowestDelayMs] as const),
    arbiterDelayMs: random.span(0.5, 5),
    diskMs: random.pick([0.5, 3, 12]),
    replayRate: random.span(1.5, 4),
    slowReplayRate: isSlow ? random.span(0.3, 0.9) : 4,
    slowUntilMs: healAtMs,
    retainedEntries: hasFlip ? 10_000 : random.pick([0, 20, 10_000]),
    snapshotChunks: random.pick([0, 3, 30]),
    snapshotFails: random.chance(0.02),
    clients: random.between(1, 3),
    thinkMs: random.pick([1, 10, 40]),
    clientTimeoutMs: random.pick([60, 150]),
    restartMs: hasElder ? 20 : random.pick([20, 150, 600]),
    staleGenerations: random.chance(0.04) ? [random.between(1, 3)] : [],
    incompatibleNode: random.chance(0.03) ? nodes - 1 : -1,
    elderAtMs: hasElder ? random.span(0, random.pick([250, 800])) : Infinity,
    powerOffAtMs: random.chance(0.12) ? random.span(50, random.pick([300, healAtMs])) : Infinity,
    healAtMs,
    endAtMs: healAtMs + 6_000,
  };
  // A slow backup is watched in peace: the throttle's promise is about load, not about faults.
  const isCalm = isSlow && !hasFlip && random.chance(0.5);
  return { ...base, faults: isCalm ? [] : planFaults(random, { nodes, healAtMs, hasFlip }) };
}
