/**
 * What a primary tells of itself: the answer of GetStatus, and its gauges.
 *
 * Everything is derived from the core's figures and the machine's counters when it is asked for;
 * nothing is kept twice.
 */

import type { OutputStream } from '../lib/event/event.js';
import type { MachineStop } from '../lib/machine/machine.js';
import { BACKUP_STAGES, PROTECTION_STATES, ROLES } from '../lib/metrics/label-values.js';
import { CoreDriver } from '../lib/node/core-driver.js';
import type { HartPort } from '../lib/node/hart-port.js';
import { engineStatus, publishEngine, publishHart, stepsBehind } from '../lib/node/hart-metrics.js';
import type { Node } from '../lib/node/node.js';
import type { RoleStatus } from '../lib/node/role.js';
import type { StreamHistory } from '../lib/node/stream-history.js';
import type { Holder } from '../lib/protocol/arbiter.js';
import type { PrimaryCore } from '../lib/protocol/primary-core.js';
import type {
  PrimaryState,
  Protection as ProtectionState,
  Stage,
} from '../lib/protocol/primary-contract.js';
import { BackupStage, Protection, Role } from '../lib/rpc/generated/lockstep/v1/machine.js';
import type { PrimaryChannel } from './channel.js';
import type { OutputGate } from './gate.js';

const FULL_THROTTLE_PERMILLE = 1000;

const WIRE_PROTECTION: Readonly<Record<ProtectionState, Protection>> = {
  unprotected: Protection.UNPROTECTED,
  joining: Protection.JOINING,
  protected: Protection.PROTECTED,
  holding: Protection.HOLDING,
  fenced: Protection.UNPROTECTED,
  stopped: Protection.UNPROTECTED,
};

const WIRE_ROLE: Readonly<Record<PrimaryState, Role>> = {
  starting: Role.CANDIDATE,
  solo: Role.PRIMARY,
  joining: Role.PRIMARY,
  protecting: Role.PRIMARY,
  protected: Role.PRIMARY,
  arbitrating: Role.PRIMARY,
  fenced: Role.FENCED,
  stopped: Role.STOPPED,
};

const WIRE_STAGE: Readonly<Record<Stage, BackupStage>> = {
  waiting: BackupStage.WAITING,
  joining: BackupStage.JOINING,
  counted: BackupStage.COUNTED,
  verifying: BackupStage.VERIFYING,
};

export interface StatusSource {
  readonly core: PrimaryCore;
  readonly hart: HartPort;
  readonly gate: OutputGate;
  readonly channel: PrimaryChannel;
  readonly histories: ReadonlyMap<OutputStream, StreamHistory>;
  readonly address: string;
  readonly stop: MachineStop | null;
  readonly fencedBy: Holder | null;
}

export function describePrimary(source: StatusSource): RoleStatus {
  const { core, hart, gate, channel, histories, stop, fencedBy } = source;
  const figures = core.figures(CoreDriver.nowMs());
  const progress = hart.progress();
  const acked = channel.ackedSteps();
  const isFenced = figures.state === 'fenced';
  const hasBackup = acked !== null;
  return {
    machineDigest: hart.digest,
    role: WIRE_ROLE[figures.state],
    protection: WIRE_PROTECTION[figures.protection],
    epoch: figures.epoch,
    primaryAddress: isFenced ? (fencedBy?.address ?? '') : source.address,
    recordedSeq: figures.lastSeq,
    ackedSeq: figures.receivedSeq,
    appliedSeq: figures.replayedSeq,
    steps: [...progress.steps],
    lagSeconds: figures.lagMs / 1000,
    lagSteps: acked === null ? 0n : stepsBehind(progress.steps, acked),
    lagEntries: hasBackup ? figures.lastSeq - figures.replayedSeq : 0n,
    unackedBytes: BigInt(figures.unackedBytes),
    heldOutputBytes: BigInt(gate.totalHeldBytes),
    outputs: [...histories].map(([stream, history]) => ({
      stream,
      produced: history.end,
      released: history.end,
    })),
    virtualTime: progress.time,
    engine: engineStatus(hart.engine()),
    stopped: stop?.cause ?? (isFenced ? 'FENCED' : ''),
    exitStatus: stop?.status ?? 0,
    divergences: 0n,
    stateChecks: 0n,
    backupAddresses: channel.backupAddresses(),
    backups: figures.backups.map(({ session, stage, receivedSeq, replayedSeq }) => ({
      address: channel.addressOf(session),
      stage: WIRE_STAGE[stage],
      ackedSeq: receivedSeq,
      appliedSeq: replayedSeq,
    })),
  };
}

interface MeterSource {
  readonly node: Node;
  readonly hart: HartPort;
  readonly core: PrimaryCore;
  readonly channel: PrimaryChannel;
}

/** Keeps the gauges of a primary true. */
export class PrimaryMeters {
  private readonly source: MeterSource;
  private role: (typeof ROLES)[number] = 'primary';
  private permille = FULL_THROTTLE_PERMILLE;
  private isPaused = false;
  private throttledSinceMs: number | null = null;

  constructor(source: MeterSource) {
    this.source = source;
    source.node.metrics.onSample(() => this.sample());
  }

  publishRole(role: (typeof ROLES)[number]): void {
    this.role = role;
    for (const one of ROLES) {
      this.source.node.metrics.set('lockstep_role', { role: one }, one === role ? 1 : 0);
    }
    this.publishState();
  }

  publishState(): void {
    const { node, core } = this.source;
    const protection = this.role === 'primary' ? core.protection() : 'unprotected';
    for (const state of PROTECTION_STATES) {
      node.metrics.set('lockstep_protection_state', { state }, state === protection ? 1 : 0);
    }
  }

  noteThrottle(permille: number): void {
    this.countThrottled();
    this.permille = permille;
  }

  notePause(isPaused: boolean): void {
    this.countThrottled();
    this.isPaused = isPaused;
  }

  private countThrottled(): void {
    const nowMs = CoreDriver.nowMs();
    if (this.throttledSinceMs !== null) {
      const seconds = (nowMs - this.throttledSinceMs) / 1000;
      const share = this.isPaused ? 1 : 1 - this.permille / FULL_THROTTLE_PERMILLE;
      const { metrics } = this.source.node;
      metrics.add('lockstep_primary_throttled_seconds_total', {}, seconds * share);
    }
    this.throttledSinceMs = nowMs;
  }

  private sample(): void {
    const { node, hart, core, channel } = this.source;
    const { metrics } = node;
    this.countThrottled();
    const figures = core.figures(CoreDriver.nowMs());
    const acked = channel.ackedSteps();
    const { steps } = hart.progress();
    publishHart(metrics, hart.progress());
    publishEngine(metrics, hart.engine());
    this.publishState();
    metrics.set('lockstep_epoch', {}, Number(figures.epoch));
    metrics.set('lockstep_log_recorded_seq', {}, Number(figures.lastSeq));
    metrics.set('lockstep_log_acked_seq', {}, Number(figures.receivedSeq));
    metrics.set('lockstep_log_replayed_seq', {}, Number(figures.replayedSeq));
    metrics.set('lockstep_log_unacked_bytes', {}, figures.unackedBytes);
    metrics.set('lockstep_replay_lag_seconds', {}, figures.lagMs / 1000);
    const behind = acked === null ? 0n : stepsBehind(steps, acked);
    metrics.set('lockstep_replay_lag_instructions', {}, Number(behind));
    const records = acked === null ? 0n : figures.lastSeq - figures.replayedSeq;
    metrics.set('lockstep_replay_lag_records', {}, Number(records));
    for (const stage of BACKUP_STAGES) {
      const count = figures.backups.filter((backup) => backup.stage === stage).length;
      metrics.set('lockstep_backups', { stage }, count);
    }
    const share = this.isPaused ? 0 : this.permille / FULL_THROTTLE_PERMILLE;
    metrics.set('lockstep_primary_throttle_ratio', {}, share);
  }
}
