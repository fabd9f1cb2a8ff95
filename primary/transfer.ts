/**
 * Sends a running machine to a new backup, by copying it while it runs.
 *
 *   history of each output stream   so that a client can still get it from the new backup
 *   pages, round after round        what was written meanwhile is due in the next
 *   history once more               what left during the rounds
 *   chunks of the snapshot          the guest stops for it: words, and the pages still lacking
 *
 * The guest stands still for each portion of pages while its worker copies it, and once for the
 * last round; `CopyPolicy` says when that is. What it does afterwards is in the log, which is kept
 * until the backup has it. If the backup goes away in the middle, the copy is dropped and the
 * machine is as it was.
 */

import type { Hash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { present } from '../lib/base/assert.js';
import { LockstepError } from '../lib/base/error.js';
import type { OutputStream } from '../lib/event/event.js';
import type { SnapshotReport } from '../lib/host/hart-messages.js';
import type { HartPort } from '../lib/node/hart-port.js';
import type { LogTail } from '../lib/node/log-tail.js';
import type { StreamHistory } from '../lib/node/stream-history.js';
import { CopyPolicy, FULL_SPEED_PERMILLE, type CopyDecision } from '../lib/protocol/copy-policy.js';
import type { ReplicateResponse } from '../lib/rpc/generated/lockstep/v1/replication.js';
import { SNAPSHOT_CHUNK_BYTES } from '../lib/rpc/limits.js';

export interface SnapshotSource {
  readonly hart: HartPort;
  readonly tail: LogTail;
  /** Output that has left, by stream. */
  readonly histories: () => ReadonlyMap<OutputStream, StreamHistory>;
  /** Slows the guest for the sake of the copy. */
  readonly throttle: (permille: number) => void;
  /** Puts everything that the machine has reported into the log. */
  readonly logReports: () => void;
}

/** Sends one message when there is room; false if nobody listens any more. */
export type SnapshotWriter = (
  message: NonNullable<ReplicateResponse['message']>,
  bytes: number,
) => Promise<boolean>;

/** What a copy came to. */
export interface TransferFigures {
  /** Position of the snapshot, which is all handed to the transport. */
  readonly seq: bigint;
  readonly rounds: number;
  readonly bytes: number;
  readonly seconds: number;
  /** For how long the guest stood still at the end, and in all. */
  readonly stopMs: number;
  readonly stoodStillMs: number;
  /** Why the last round began. */
  readonly ending: 'finish' | 'accept';
}

/** Errors: those of the worker; the guest runs on at full speed then. */
export async function sendMachine(
  source: SnapshotSource & { readonly hash: Hash },
  epoch: bigint,
  write: SnapshotWriter,
): Promise<TransferFigures> {
  const { host } = source.hart;
  const startMs = performance.now();
  const copy = new RunningCopy(source, epoch, write);
  let snapshot: SnapshotReport;
  let ending: CopyDecision['kind'];
  try {
    await copy.sendHistories();
    ending = await copy.copyRounds();
    snapshot = await host.snapshot();
  } catch (error) {
    await host.copyPages('abandon').catch(() => undefined);
    throw error;
  } finally {
    source.throttle(FULL_SPEED_PERMILLE);
  }
  const { seq, bytes, tookNs } = snapshot;
  const stopMs = Number(tookNs) / 1e6;
  source.logReports();
  const chain = present(source.tail.hashAt(seq), `chain hash at the snapshot's entry ${seq}`);
  // The replica makes again what comes after the snapshot; what left before it is known here only.
  await copy.sendHistories();
  await copy.sendSnapshot(seq, bytes, chain);
  return {
    seq,
    rounds: copy.rounds,
    bytes: copy.sentBytes + bytes.length,
    seconds: (performance.now() - startMs) / 1000,
    stopMs,
    stoodStillMs: copy.stoodStillMs + stopMs,
    ending: ending === 'accept' ? 'accept' : 'finish',
  };
}

class RunningCopy {
  rounds = 0;
  sentBytes = 0;
  stoodStillMs = 0;
  /** Up to where each stream's history was sent. */
  private readonly historyEnds = new Map<OutputStream, bigint>();
  private readonly source: SnapshotSource & { readonly hash: Hash };
  private readonly epoch: bigint;
  private readonly write: SnapshotWriter;

  constructor(
    source: SnapshotSource & { readonly hash: Hash },
    epoch: bigint,
    write: SnapshotWriter,
  ) {
    this.source = source;
    this.epoch = epoch;
    this.write = write;
  }

  /** Sends what has left since the last call. */
  async sendHistories(): Promise<void> {
    for (const [stream, history] of this.source.histories()) {
      await this.sendHistory(stream, history);
    }
  }

  /** Copies until the rest is worth a stop; says why it is. */
  async copyRounds(): Promise<CopyDecision['kind']> {
    const { host } = this.source.hart;
    const policy = new CopyPolicy();
    this.note((await host.copyPages('begin')).tookNs);
    for (;;) {
      this.rounds += 1;
      const before = this.stoodStillMs;
      const copiedPages = await this.copyRound();
      if (copiedPages === null) {
        throw new LockstepError('IO', 'the backup went away while the machine was copied to it');
      }
      const stoodStillMs = this.stoodStillMs - before;
      const { left: leftPages, tookNs } = await host.copyPages('round');
      this.note(tookNs);
      const decision = policy.decide({ copiedPages, stoodStillMs, leftPages });
      if (decision.kind !== 'round') return decision.kind;
      this.source.throttle(decision.permille);
    }
  }

  /** The pages of one round; null if nobody listens any more. */
  private async copyRound(): Promise<number | null> {
    let copied = 0;
    for (;;) {
      const begunMs = performance.now();
      const part = await this.source.hart.host.copyPages('next');
      this.note(part.tookNs);
      copied += part.pages;
      if (part.pages > 0) {
        const data = view(part.bytes);
        const value = { epoch: this.epoch, round: this.rounds, data };
        this.sentBytes += data.length;
        this.source.hash.update(data);
        if (!(await this.write({ $case: 'pages', value }, data.length))) return null;
      }
      if (part.left === 0) return copied;
      // As much time for the machine's own traffic, which goes through this thread too.
      await delay(performance.now() - begunMs);
    }
  }

  async sendSnapshot(seq: bigint, bytes: Uint8Array, chain: Uint8Array): Promise<void> {
    const { epoch } = this;
    const { hash } = this.source;
    const count = Math.max(1, Math.ceil(bytes.length / SNAPSHOT_CHUNK_BYTES));
    for (let index = 0; index < count; index += 1) {
      const data = view(
        bytes.subarray(index * SNAPSHOT_CHUNK_BYTES, (index + 1) * SNAPSHOT_CHUNK_BYTES),
      );
      hash.update(data);
      const last = index === count - 1;
      const proof = last
        ? { chain: view(chain), sha256: hash.digest() }
        : { chain: Buffer.alloc(0), sha256: Buffer.alloc(0) };
      const value = { epoch, seq, index, last, data, ...proof };
      if (!(await this.write({ $case: 'snapshot', value }, data.length))) return;
    }
  }

  private async sendHistory(stream: OutputStream, history: StreamHistory): Promise<void> {
    const { epoch } = this;
    const end = history.end;
    let offset = this.historyEnds.get(stream) ?? history.start;
    this.historyEnds.set(stream, end);
    while (offset < end) {
      // What is sent meanwhile may push old bytes out of the history; they are then gone here too.
      if (offset < history.start) offset = history.start;
      const data = view(history.read(offset, SNAPSHOT_CHUNK_BYTES));
      const value = { epoch, stream, offset, data };
      if (!(await this.write({ $case: 'history', value }, data.length))) return;
      offset += BigInt(data.length);
    }
  }

  private note(tookNs: bigint): void {
    this.stoodStillMs += Number(tookNs) / 1e6;
  }
}

function view(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
