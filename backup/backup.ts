/**
 * The backup's role: follows a primary, keeps its log, replays it, and takes over.
 *
 *      primary --> channel --> core --accept--> replica: log tail, log file, machine
 *                                   --claim---> arbiter
 *                                   --drain---> machine at the end of its log --> promote.ts
 *
 * Every decision is the core's. The replica swallows its output until it is promoted.
 */

import { LockstepError } from '../lib/base/error.js';
import type { HartListener } from '../lib/host/hart-host.js';
import type { MachineStop } from '../lib/machine/machine.js';
import { askArbiter, lostTo } from '../lib/node/ask-arbiter.js';
import { CoreDriver } from '../lib/node/core-driver.js';
import type { MachineSpec } from '../lib/node/machine-spec.js';
import type { Node } from '../lib/node/node.js';
import {
  notPrimary,
  type AttachCall,
  type ReplicateCall,
  type RoleServices,
  type RoleStatus,
  type WatchCall,
} from '../lib/node/role.js';
import type { Holder } from '../lib/protocol/arbiter.js';
import { BackupCore } from '../lib/protocol/backup-core.js';
import type { BackupEffect, BackupInput, HaltCause } from '../lib/protocol/backup-contract.js';
import type { Purpose, Takeover } from '../lib/protocol/primary-contract.js';
import { errorOfCloseReason } from '../lib/rpc/close-reason.js';
import type { Batch, Heartbeat } from '../lib/rpc/generated/lockstep/v1/replication.js';
import type { Primary } from '../primary/primary.js';
import { BackupChannel, type PrimaryMessage } from './channel.js';
import { becomePrimary, networkPlace } from './promote.js';
import { readAccepted, readBatch } from './receive.js';
import { Replica, type AcceptedBatch } from './replica.js';
import { ReplicaSlot, type SnapshotMessage } from './replica-slot.js';
import { whenItStands } from './last-replay.js';
import { BackupMeters, describeBackup } from './status.js';

export interface BackupOptions {
  readonly node: Node;
  readonly spec: MachineSpec;
  /** Where a primary may be found. */
  readonly connect: readonly string[];
  readonly purpose: Purpose;
  /** Whether a backup that loses an arbitration follows the winner instead of ending. */
  readonly rejoins: boolean;
}

/** How the life of a backup ends, other than by an error. */
export type BackupOutcome =
  | { readonly kind: 'promoted'; readonly primary: Primary }
  /** The guest was switched off in order, and nobody is needed to go on. */
  | { readonly kind: 'stopped'; readonly stop: MachineStop };

export class Backup implements RoleServices {
  readonly done: Promise<BackupOutcome>;
  private readonly options: BackupOptions;
  private readonly core: BackupCore;
  private readonly driver: CoreDriver<BackupInput, BackupEffect>;
  private readonly channel: BackupChannel;
  private readonly meters: BackupMeters;
  private readonly slot: ReplicaSlot;
  private dialing: Extract<BackupEffect, { kind: 'dial' }> | null = null;
  private pending: readonly AcceptedBatch[] = [];
  private drainTo: bigint | null = null;
  private stop: MachineStop | null = null;
  private whenStopped: ((stop: MachineStop) => void) | null = null;
  private divergence: LockstepError | null = null;
  private settle: {
    resolve: (outcome: BackupOutcome) => void;
    reject: (error: unknown) => void;
  };

  private constructor(options: BackupOptions, first: Replica) {
    const { node, connect, purpose, rejoins } = options;
    const verifies = purpose === 'verify';
    this.options = options;
    this.slot = new ReplicaSlot(
      {
        spec: options.spec,
        storage: node.storage,
        listener: (one) => this.listener(one),
      },
      first,
    );
    this.settle = { resolve: () => undefined, reject: () => undefined };
    this.done = new Promise((resolve, reject) => {
      this.settle = { resolve, reject };
    });
    this.core = new BackupCore({
      limits: node.limits,
      addresses: connect,
      position: 0n,
      logEpoch: 0n,
      purpose,
      rejoins,
    });
    this.driver = new CoreDriver({
      core: this.core,
      perform: (effect) => this.perform(effect),
      tick: (loopLagMs) => ({ kind: 'tick', loopLagMs }),
      onFailure: (error) => this.fail(error),
    });
    this.channel = new BackupChannel({
      node,
      verifies,
      digest: () => this.slot.replica.hart.digest,
      chainAt: (seq) => this.slot.replica.tail.hashAt(seq) ?? new Uint8Array(0),
      steps: () => this.slot.replica.hart.progress().steps,
      give: (input) => this.driver.give(input),
      receive: (stream, message, more) => this.receive(stream, message, more),
    });
    const replica = (): Replica => this.slot.replica;
    this.meters = new BackupMeters({ node, core: this.core, verifies, replica });
  }

  /** Builds the machine. Errors: as HartPort.start and createLogFiles. */
  static async create(options: BackupOptions): Promise<Backup> {
    const replica = await Replica.powerOn(options.spec, options.node.storage);
    return new Backup(options, replica);
  }

  get digest(): string {
    return this.slot.replica.hart.digest;
  }

  /** Where the log is written, null without a state directory. */
  get logDirectory(): string | null {
    return this.slot.replica.files?.directory ?? null;
  }

  start(): void {
    const { node } = this.options;
    node.journal.role = 'backup';
    node.setRole(this);
    this.meters.publishState();
    this.slot.listen();
    this.driver.give({ kind: 'start' });
  }

  status(): RoleStatus {
    return describeBackup({
      core: this.core,
      replica: this.slot.replica,
      meters: this.meters,
      primaryAddress: this.channel.primaryAddress,
      stop: this.stop,
      divergence: this.divergence,
      verifies: this.options.purpose === 'verify',
    });
  }

  replicate(call: ReplicateCall): void {
    const primary = this.channel.primaryAddress;
    call.resume();
    throw errorOfCloseReason('not-primary', primary === null ? '' : `it is at ${primary}`, {
      epoch: this.core.figures().epoch,
      ...(primary === null ? {} : { primary }),
    });
  }

  attach(call: AttachCall): void {
    call.resume();
    throw notPrimary(this.channel.primaryAddress, this.core.figures().epoch);
  }

  watch(_call: WatchCall): void {
    throw notPrimary(this.channel.primaryAddress, this.core.figures().epoch);
  }

  async close(): Promise<void> {
    this.driver.stop();
    this.channel.drop();
    await this.slot.close();
  }

  private listener(replica: Replica): HartListener {
    return {
      onProgress: () => this.noteProgress(replica),
      onStopped: (stop) => {
        this.stop = stop;
        this.noteProgress(replica);
        this.whenStopped?.(stop);
      },
      onDiverged: (error) => this.noteDivergence(replica, error),
      onFatal: (error) => this.fail(error),
    };
  }

  /** Tells the core how far the machine is. */
  private noteProgress(replica: Replica): void {
    if (replica !== this.slot.replica || !this.slot.isCurrent) return;
    const { seq } = replica.hart.progress();
    replica.replayed(seq);
    this.driver.give({ kind: 'replayed', seq });
    if (this.drainTo === null || seq < this.drainTo) return;
    this.drainTo = null;
    this.driver.give({ kind: 'drained', seq });
  }

  private noteDivergence(replica: Replica, error: LockstepError): void {
    this.divergence = error;
    this.meters.noteDivergence();
    const { node } = this.options;
    const again = replica.files === null ? '' : `lockstep replay --log ${replica.files.directory}`;
    node.journal.note({
      event: 'diverged',
      detail: error.message,
      fields: { ...error.fields, ...(again === '' ? {} : { reproduce: again }) },
    });
    this.driver.give({ kind: 'diverged', seq: replica.hart.progress().seq });
  }

  private receive(stream: number, message: PrimaryMessage, more: boolean): void {
    switch (message.$case) {
      case 'accepted':
        return this.driver.give(readAccepted(message.value, stream));
      case 'standBy': {
        const { epoch } = message.value;
        return this.driver.give({ kind: 'told-to-wait', stream, epoch });
      }
      case 'batch':
        return this.receiveBatch(stream, message.value, more);
      case 'heartbeat':
        return this.receiveHeartbeat(stream, message.value);
      case 'history':
      case 'pages':
      case 'snapshot':
        this.driver.give({ kind: 'snapshot-chunk', stream });
        return this.receiveSnapshot(stream, message);
    }
  }

  private receiveBatch(stream: number, message: Batch, more: boolean): void {
    if (this.slot.postpone({ stream, message })) {
      return this.driver.give({ kind: 'snapshot-chunk', stream });
    }
    const { replica } = this.slot;
    const { input, batches } = readBatch(message, replica.tail, stream, more);
    this.pending = batches;
    if (message.epoch < this.core.figures().epoch) {
      this.options.node.metrics.add('lockstep_fenced_total', { what: 'batch' });
    }
    // The acknowledgement first: output waits for it, and nothing waits for what follows.
    this.driver.give(input);
    this.meters.noteBatch(message, batches);
    this.slot.replica.released(message.releasedSeq);
    this.noteProgress(this.slot.replica);
  }

  private receiveHeartbeat(stream: number, message: Heartbeat): void {
    const { epoch, recordedSeq: lastSeq, releasedSeq } = message;
    this.channel.noteHeartbeat(message.sentNs);
    this.meters.noteHeartbeat(message);
    this.noteProgress(this.slot.replica);
    this.driver.give({ kind: 'heartbeat', stream, epoch, lastSeq, releasedSeq });
    this.slot.replica.released(releasedSeq);
  }

  private receiveSnapshot(stream: number, message: SnapshotMessage): void {
    this.slot.take(message).then(
      (seq) => {
        if (seq === null) return;
        this.driver.give({ kind: 'snapshot-loaded', stream, seq });
        for (const one of this.slot.takeWaiting()) {
          this.receiveBatch(one.stream, one.message, false);
        }
      },
      (error: unknown) => this.failSnapshot(stream, error),
    );
  }

  private failSnapshot(stream: number, error: unknown): void {
    if (!(error instanceof LockstepError)) return this.fail(error);
    this.options.node.journal.note({ event: 'snapshot refused', detail: error.message });
    this.driver.give({ kind: 'snapshot-failed', stream });
  }

  /** Dials when the replica is what the core thinks it is. */
  private dial(effect: Extract<BackupEffect, { kind: 'dial' }>): void {
    this.dialing = effect;
    this.slot
      .align(this.core.figures().receivedSeq)
      .then(() => {
        const isWanted = this.dialing === effect && this.core.state === 'dialing';
        if (isWanted) this.channel.dial(effect);
      })
      .catch((error: unknown) => this.fail(error));
  }

  private perform(effect: BackupEffect): void {
    switch (effect.kind) {
      case 'transition':
        return this.noteTransition(effect.from, effect.to, effect.cause);
      case 'dial':
        return this.dial(effect);
      case 'send-hello':
        return this.channel.sendHello(effect);
      case 'load-snapshot':
        return this.slot.begin();
      case 'send-ack':
        return this.channel.sendAck(effect);
      case 'accept':
        return this.accept();
      case 'close-stream':
        return this.channel.closeStream(effect);
      case 'claim':
        askArbiter(this.options.node, effect.generation, (answer) => {
          this.driver.give({ kind: 'claimed', generation: effect.generation, answer });
        });
        return;
      case 'drain':
        this.drainTo = effect.throughSeq;
        // The machine may be there already; the core takes no input before its effects are done.
        setImmediate(() => this.noteProgress(this.slot.replica));
        return;
      case 'become-primary':
        return this.promote(effect.takeover);
      case 'halt':
        return this.halt(effect.cause, effect.holder);
    }
  }

  private accept(): void {
    const { replica } = this.slot;
    for (const batch of this.pending) replica.accept(batch);
    this.pending = [];
    if (this.options.node.storage?.ack !== 'durable') return;
    const give = (seq: bigint): void => {
      if (replica === this.slot.replica) this.driver.give({ kind: 'durable', seq });
    };
    replica.flushed().then(give, (error: unknown) => this.fail(error));
  }

  private noteTransition(from: string, to: string, cause: string): void {
    const { node } = this.options;
    node.journal.epoch = this.core.figures().epoch;
    const isCandidate = to === 'arbitrating' || to === 'promoting';
    if (isCandidate) node.journal.role = 'candidate';
    node.journal.note({ event: `${from} -> ${to}`, detail: cause });
    this.meters.noteTransition(to, cause);
  }

  private promote(takeover: Takeover): void {
    const { node } = this.options;
    const { hart, tail, files, histories } = this.slot.replica;
    this.driver.stop();
    this.channel.drop();
    hart.listen(null);
    this.meters.close();
    const { stop } = this;
    const network = networkPlace(this.options.spec);
    const parts = { node, hart, tail, files, histories, network, stop };
    const primary = becomePrimary(parts, takeover);
    this.settle.resolve({ kind: 'promoted', primary });
  }

  private halt(cause: HaltCause, holder: Holder | null): void {
    this.channel.drop();
    switch (cause) {
      case 'stopped':
        this.meters.publishRole('stopped');
        this.endWithMachine();
        return;
      case 'lost-arbitration':
        this.meters.publishRole('fenced');
        this.fail(lostTo(holder));
        return;
      case 'diverged':
        this.meters.publishRole('stopped');
        this.fail(this.divergence ?? new LockstepError('DIVERGED', 'the replica differs'));
        return;
      case 'incompatible':
        this.fail(new LockstepError('INCOMPATIBLE_PEER', this.channel.lastRefusal));
        return;
    }
  }

  /** The replica may have to replay some more until it ends as the primary's machine has. */
  private endWithMachine(): void {
    const end = (stop: MachineStop): void => {
      this.whenStopped = null;
      this.settle.resolve({ kind: 'stopped', stop });
    };
    if (this.stop !== null) return end(this.stop);
    this.whenStopped = end;
    const position = (): string => this.slot.replica.hart.progress().steps.join();
    whenItStands(position, () => end({ cause: 'power-off', status: 0 }));
  }

  private fail(error: unknown): void {
    this.driver.stop();
    this.channel.drop();
    this.settle.reject(error);
  }
}
