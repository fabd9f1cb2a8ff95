/**
 * What a backup tells of itself: the answer of GetStatus, its gauges, and how long each phase of
 * a takeover took.
 */

import type { LockstepError } from '../lib/base/error.js';
import type { MachineStop } from '../lib/machine/machine.js';
import { PROTECTION_STATES, ROLES } from '../lib/metrics/label-values.js';
import type { Tally } from '../lib/metrics/registry.js';
import { CoreDriver } from '../lib/node/core-driver.js';
import { engineStatus, publishEngine, publishHart, stepsBehind } from '../lib/node/hart-metrics.js';
import { LogCounts } from '../lib/node/log-counts.js';
import type { Node } from '../lib/node/node.js';
import type { RoleStatus } from '../lib/node/role.js';
import type { BackupState } from '../lib/protocol/backup-contract.js';
import type { BackupCore } from '../lib/protocol/backup-core.js';
import { Protection, Role } from '../lib/rpc/generated/lockstep/v1/machine.js';
import type { Batch, Heartbeat } from '../lib/rpc/generated/lockstep/v1/replication.js';
import type { AcceptedBatch, Replica } from './replica.js';

export interface StatusSource {
  readonly core: BackupCore;
  readonly replica: Replica;
  readonly meters: BackupMeters;
  readonly primaryAddress: string | null;
  readonly stop: MachineStop | null;
  readonly divergence: LockstepError | null;
  readonly verifies: boolean;
}

type RoleName = (typeof ROLES)[number];

/** What a backup in `state` is to the world. */
function roleIn(state: BackupState, verifies: boolean): RoleName {
  switch (state) {
    case 'waiting':
      return 'spare';
    case 'arbitrating':
    case 'promoting':
      return 'candidate';
    case 'halted':
      return 'stopped';
    default:
      return verifies ? 'verifier' : 'backup';
  }
}

const WIRE_ROLE: Readonly<Partial<Record<RoleName, Role>>> = {
  backup: Role.BACKUP,
  candidate: Role.CANDIDATE,
  stopped: Role.STOPPED,
  spare: Role.SPARE,
  verifier: Role.VERIFIER,
};

export function describeBackup(source: StatusSource): RoleStatus {
  const { core, replica, meters, primaryAddress, stop, divergence } = source;
  const { state, epoch, primarySeq, receivedSeq, replayedSeq } = core.figures();
  const progress = replica.hart.progress();
  return {
    machineDigest: replica.hart.digest,
    role: WIRE_ROLE[roleIn(state, source.verifies)] ?? Role.BACKUP,
    protection: wireProtection(state),
    epoch,
    primaryAddress: primaryAddress ?? '',
    recordedSeq: primarySeq,
    ackedSeq: receivedSeq,
    appliedSeq: replayedSeq,
    steps: [...progress.steps],
    lagSeconds: meters.lagSeconds(),
    lagSteps: stepsBehind(meters.primarySteps, progress.steps),
    lagEntries: primarySeq > replayedSeq ? primarySeq - replayedSeq : 0n,
    unackedBytes: 0n,
    heldOutputBytes: 0n,
    outputs: [],
    virtualTime: progress.time,
    engine: engineStatus(replica.hart.engine()),
    stopped: divergence === null ? (stop?.cause ?? '') : 'DIVERGED',
    exitStatus: stop?.status ?? 0,
    divergences: divergence === null ? 0n : 1n,
    stateChecks: BigInt(replica.checksPassed),
    backupAddresses: [],
    backups: [],
  };
}

function wireProtection(state: string): Protection {
  switch (state) {
    case 'protecting':
      return Protection.PROTECTED;
    case 'loading':
    case 'following':
      return Protection.JOINING;
    case 'arbitrating':
    case 'promoting':
      return Protection.HOLDING;
    default:
      return Protection.UNPROTECTED;
  }
}

function protectionState(state: string): (typeof PROTECTION_STATES)[number] {
  switch (state) {
    case 'protecting':
      return 'protected';
    case 'loading':
    case 'following':
      return 'joining';
    case 'arbitrating':
    case 'promoting':
      return 'holding';
    default:
      return 'unprotected';
  }
}

interface MeterSource {
  readonly node: Node;
  readonly core: BackupCore;
  /** This node only compares. */
  readonly verifies: boolean;
  replica(): Replica;
}

interface RecordedAt {
  readonly lastSeq: bigint;
  readonly recordedNs: bigint;
}

export class BackupMeters {
  /** Steps of the primary at its newest heartbeat. */
  primarySteps: readonly bigint[] = [];
  private readonly source: MeterSource;
  private readonly counts: LogCounts;
  private readonly receivedBytes: Tally;
  /** Batches received and not applied, with the primary's clock when they were recorded. */
  private readonly unapplied: RecordedAt[] = [];
  private newestNs = 0n;
  private appliedNs = 0n;
  private heardMs: number | null = null;
  private phaseMs = 0;
  private lossMs = 0;
  private reason: 'connection-closed' | 'heartbeat-lost' = 'connection-closed';
  private isClosed = false;

  constructor(source: MeterSource) {
    this.source = source;
    const { metrics } = source.node;
    this.counts = new LogCounts(metrics, source.replica().hart.config);
    this.receivedBytes = metrics.tally('lockstep_log_bytes_total', { direction: 'received' });
    metrics.onSample(() => this.sample());
  }

  /** A promoted node's gauges are the primary's. */
  close(): void {
    this.isClosed = true;
  }

  /** Age of the replica's state by the primary's clock, in seconds. */
  lagSeconds(): number {
    const { replayedSeq } = this.source.core.figures();
    let count = 0;
    for (const { lastSeq, recordedNs } of this.unapplied) {
      if (lastSeq > replayedSeq) break;
      this.appliedNs = recordedNs;
      count += 1;
    }
    this.unapplied.splice(0, count);
    if (this.unapplied.length === 0 || this.appliedNs === 0n) return 0;
    return Number(this.newestNs - this.appliedNs) / 1e9;
  }

  noteBatch(message: Batch, batches: readonly AcceptedBatch[]): void {
    this.heard();
    this.receivedBytes.sum += message.data.length;
    const { lastSeq, recordedNs } = message;
    this.newestNs = recordedNs;
    this.unapplied.push({ lastSeq, recordedNs });
    // The acknowledgement leaves at the end of this turn.
    setImmediate(() => {
      for (const { decoded } of batches) this.counts.add(decoded.entries);
    });
    if (this.unapplied.length > 1024) this.lagSeconds();
  }

  noteHeartbeat(message: Heartbeat): void {
    const { metrics } = this.source.node;
    this.heard();
    this.primarySteps = message.steps;
    metrics.add('lockstep_heartbeats_total', { direction: 'received' });
    metrics.set('lockstep_heartbeat_last_received_timestamp_seconds', {}, Date.now() / 1000);
  }

  noteDivergence(): void {
    const { metrics } = this.source.node;
    metrics.add('lockstep_divergences_total', {});
    metrics.add('lockstep_state_checks_total', { result: 'different' });
  }

  noteTransition(to: string, cause: string): void {
    const nowMs = CoreDriver.nowMs();
    const { metrics } = this.source.node;
    switch (to) {
      case 'arbitrating':
        this.lossMs = this.heardMs ?? nowMs;
        this.reason = cause.includes('silent') ? 'heartbeat-lost' : 'connection-closed';
        this.phase('detect', nowMs - this.lossMs, nowMs);
        break;
      case 'promoting':
        this.phase('arbitrate', nowMs - this.phaseMs, nowMs);
        break;
      case 'promoted':
        this.phase('drain', nowMs - this.phaseMs, nowMs);
        this.phase('total', nowMs - this.lossMs, nowMs);
        metrics.add('lockstep_failovers_total', { reason: this.reason, result: 'won' });
        break;
      case 'dialing':
        if (this.lossMs === 0 || !cause.includes('won generation')) break;
        metrics.add('lockstep_failovers_total', { reason: this.reason, result: 'lost' });
        this.lossMs = 0;
        break;
      case 'halted':
        if (this.lossMs === 0) break;
        metrics.add('lockstep_failovers_total', {
          reason: this.reason,
          result: cause === 'lost-arbitration' ? 'lost' : 'failed',
        });
        break;
      default:
    }
    this.publishState();
  }

  publishRole(role: RoleName): void {
    for (const one of ROLES) {
      this.source.node.metrics.set('lockstep_role', { role: one }, one === role ? 1 : 0);
    }
  }

  publishState(): void {
    const { core, verifies } = this.source;
    if (core.state !== 'halted') this.publishRole(roleIn(core.state, verifies));
    const now = protectionState(this.source.core.state);
    for (const state of PROTECTION_STATES) {
      this.source.node.metrics.set('lockstep_protection_state', { state }, state === now ? 1 : 0);
    }
  }

  private phase(
    phase: 'detect' | 'arbitrate' | 'drain' | 'total',
    lengthMs: number,
    nowMs: number,
  ): void {
    this.phaseMs = nowMs;
    const { metrics } = this.source.node;
    metrics.observe('lockstep_failover_duration_seconds', { phase }, lengthMs / 1000);
  }

  /** Counts the heartbeat intervals that passed in silence. */
  private heard(): void {
    const nowMs = CoreDriver.nowMs();
    const { metrics, limits } = this.source.node;
    const silentMs = nowMs - (this.heardMs ?? nowMs);
    const missed = Math.floor(silentMs / limits.heartbeatMs) - 1;
    metrics.add('lockstep_heartbeats_missed_total', {}, Math.max(0, missed));
    this.heardMs = nowMs;
  }

  private sample(): void {
    if (this.isClosed) return;
    const { node, core } = this.source;
    const { metrics } = node;
    const { epoch, primarySeq, receivedSeq, replayedSeq } = core.figures();
    const replica = this.source.replica();
    const progress = replica.hart.progress();
    publishHart(metrics, progress);
    publishEngine(metrics, replica.hart.engine());
    this.publishState();
    metrics.set('lockstep_epoch', {}, Number(epoch));
    metrics.set('lockstep_log_recorded_seq', {}, Number(primarySeq));
    metrics.set('lockstep_log_acked_seq', {}, Number(receivedSeq));
    metrics.set('lockstep_log_replayed_seq', {}, Number(replayedSeq));
    metrics.set('lockstep_replay_lag_seconds', {}, this.lagSeconds());
    const behind = stepsBehind(this.primarySteps, progress.steps);
    metrics.set('lockstep_replay_lag_instructions', {}, Number(behind));
    const records = primarySeq > replayedSeq ? primarySeq - replayedSeq : 0n;
    metrics.set('lockstep_replay_lag_records', {}, Number(records));
    metrics.follow('lockstep_state_checks_total', { result: 'equal' }, replica.checksPassed);
    metrics.set('lockstep_last_checked_instruction', {}, Number(replica.lastCheckedStep));
  }
}
