/**
 * The place of the replica: one at a time, given up for a snapshot or built anew.
 *
 *   current --begin--> receiving --last chunk--> loading --> current
 *      ^                   |                        |
 *      +----- rebuild -----+------------------------+    (the stream was lost)
 *
 * Invariant: while a snapshot is received or loaded, what is here is of no use and nothing is told
 * of it; log that comes meanwhile waits in order until the replica is there.
 */

import type { HartListener } from '../lib/host/hart-host.js';
import type { MachineSpec } from '../lib/node/machine-spec.js';
import type { NodeStorage } from '../lib/node/node-storage.js';
import type { Batch } from '../lib/rpc/generated/lockstep/v1/replication.js';
import type { PrimaryMessage } from './channel.js';
import { Replica } from './replica.js';
import { SnapshotReceiver, type ReceivedMachine } from './transfer.js';

export type SnapshotMessage = Extract<PrimaryMessage, { $case: 'history' | 'pages' | 'snapshot' }>;

export interface WaitingBatch {
  readonly stream: number;
  readonly message: Batch;
}

export interface ReplicaSlotOptions {
  readonly spec: MachineSpec;
  readonly storage: NodeStorage | null;
  readonly listener: (replica: Replica) => HartListener;
}

export class ReplicaSlot {
  private readonly options: ReplicaSlotOptions;
  private current: Replica;
  private receiver: SnapshotReceiver | null = null;
  private waiting: WaitingBatch[] = [];
  private isLoading = false;
  private rebuilding: Promise<void> | null = null;

  constructor(options: ReplicaSlotOptions, replica: Replica) {
    this.options = options;
    this.current = replica;
  }

  get replica(): Replica {
    return this.current;
  }

  /** False while a snapshot is on its way. */
  get isCurrent(): boolean {
    return this.receiver === null;
  }

  /** Reports of the replica are heard from now on. */
  listen(): void {
    this.current.hart.listen(this.options.listener(this.current));
  }

  /** A snapshot follows. */
  begin(): void {
    this.receiver = new SnapshotReceiver();
    this.waiting = [];
  }

  /** Keeps a batch that came before the snapshot was loaded; false if there is no need to. */
  postpone(batch: WaitingBatch): boolean {
    if (!this.isLoading) return false;
    this.waiting.push(batch);
    return true;
  }

  /** The batches that were kept, in order. */
  takeWaiting(): readonly WaitingBatch[] {
    return this.waiting.splice(0);
  }

  /**
   * Takes a part of the snapshot. With the last one the replica is replaced, and the promise gives
   * its position; null otherwise. Errors: BAD_SNAPSHOT and those of `Replica.restore`.
   */
  async take(message: SnapshotMessage): Promise<bigint | null> {
    const { receiver } = this;
    if (receiver === null) return null;
    if (message.$case === 'history') {
      receiver.takeHistory(message.value);
      return null;
    }
    if (message.$case === 'pages') {
      receiver.takePages(message.value);
      return null;
    }
    const received = receiver.takeChunk(message.value);
    return received === null ? null : this.load(receiver, received);
  }

  /**
   * Makes the replica one that stands at entry `seq`, which is the one that is here or one at
   * power-on.
   */
  async align(seq: bigint): Promise<void> {
    if (this.isCurrent && this.current.tail.lastSeq === seq) return;
    this.rebuilding ??= this.rebuild().finally(() => {
      this.rebuilding = null;
    });
    await this.rebuilding;
  }

  close(): Promise<void> {
    return this.current.close();
  }

  private async load(
    receiver: SnapshotReceiver,
    received: ReceivedMachine,
  ): Promise<bigint | null> {
    const { spec, storage } = this.options;
    this.isLoading = true;
    try {
      // Two machines at once could be more than this host has memory for.
      await this.current.discard();
      const replica = await Replica.restore(spec, storage, received);
      if (this.receiver !== receiver) {
        await replica.discard();
        return null;
      }
      this.current = replica;
      this.receiver = null;
      this.listen();
      return received.seq;
    } finally {
      this.isLoading = false;
    }
  }

  private async rebuild(): Promise<void> {
    const { spec, storage } = this.options;
    this.receiver = null;
    await this.current.discard();
    this.current = await Replica.powerOn(spec, storage);
    this.listen();
  }
}
