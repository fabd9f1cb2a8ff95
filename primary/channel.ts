/**
 * The primary's end of the log streams: a session for each backup that dials.
 *
 * It turns calls into inputs of the core and the core's effects into messages. It decides
 * nothing: whether a backup is taken, what it is sent and when it is dropped is the core's.
 *
 * Invariant: messages of a session leave in the order of the effects; while the transport asks to
 * wait, the core knows it and sends nothing.
 */

import { createHash } from 'node:crypto';
import { present } from '../lib/base/assert.js';
import { toHex } from '../lib/host/log-store/sha256.js';
import { CoreDriver } from '../lib/node/core-driver.js';
import type { Tally } from '../lib/metrics/registry.js';
import type { HartPort } from '../lib/node/hart-port.js';
import type { JournalFields } from '../lib/node/journal.js';
import type { LogTail } from '../lib/node/log-tail.js';
import type { Node } from '../lib/node/node.js';
import type { ReplicateCall } from '../lib/node/role.js';
import type { PrimaryEffect, PrimaryInput } from '../lib/protocol/primary-contract.js';
import { BoundedWriter } from '../lib/rpc/bounded-writer.js';
import { failCall, onCallOver } from '../lib/rpc/calls.js';
import { errorOfCloseReason } from '../lib/rpc/close-reason.js';
import type {
  Ack,
  Hello,
  ReplicateRequest,
  ReplicateResponse,
} from '../lib/rpc/generated/lockstep/v1/replication.js';
import { HELLO_TIMEOUT_MS, STREAM_QUEUE_BYTES } from '../lib/rpc/limits.js';
import { isResumable, mismatchOf } from './hello.js';
import { sendMachine, type SnapshotSource, type TransferFigures } from './transfer.js';

/** Log in one message; a longer run is sent as several. */
const MESSAGE_LOG_BYTES = 1024 * 1024;

type Effect<Kind extends PrimaryEffect['kind']> = Extract<PrimaryEffect, { readonly kind: Kind }>;

interface Session {
  readonly id: number;
  readonly call: ReplicateCall;
  readonly writer: BoundedWriter<ReplicateResponse>;
  /** Resolved when the transport takes more. */
  onIdle: (() => void) | null;
  /** Why the hello does not fit; empty if it does. */
  mismatch: string;
  isOver: boolean;
  readonly address: string;
  readonly verifies: boolean;
  /** What the next measured acknowledgement must name, and when it was sent; null for none. */
  measured: { readonly seq: bigint; readonly heartbeatNs: bigint; readonly sentMs: number } | null;
  ackedSteps: readonly bigint[];
}

export interface ChannelOptions {
  readonly node: Node;
  readonly hart: HartPort;
  readonly tail: LogTail;
  readonly histories: SnapshotSource['histories'];
  readonly throttle: SnapshotSource['throttle'];
  readonly logReports: SnapshotSource['logReports'];
  readonly give: (input: PrimaryInput) => void;
  /** Epoch in which this node speaks now. */
  readonly epoch: () => bigint;
  /** The backups that are connected are others than before. */
  readonly onBackups: () => void;
}

export class PrimaryChannel {
  private readonly options: ChannelOptions;
  private readonly sentBytes: Tally;
  private readonly sessions = new Map<number, Session>();
  private nextSession = 1;

  constructor(options: ChannelOptions) {
    this.options = options;
    this.sentBytes = options.node.metrics.tally('lockstep_log_bytes_total', { direction: 'sent' });
  }

  /** Steps of the replicas at their newest acks, of the slowest; null without a backup. */
  ackedSteps(): readonly bigint[] | null {
    let slowest: readonly bigint[] | null = null;
    for (const { ackedSteps, verifies } of this.sessions.values()) {
      if (verifies || ackedSteps.length === 0) continue;
      slowest = slowest === null ? ackedSteps : fewest(slowest, ackedSteps);
    }
    return slowest;
  }

  /** Where the backup of a session serves; empty if nowhere. */
  addressOf(session: number): string {
    return this.sessions.get(session)?.address ?? '';
  }

  /** Where the backups serve that are connected and may take over. */
  backupAddresses(): string[] {
    const backups = [...this.sessions.values()].filter(({ verifies }) => !verifies);
    return backups.map(({ address }) => address).filter((address) => address !== '');
  }

  accept(call: ReplicateCall): void {
    const timer = setTimeout(() => {
      failCall(call, errorOfCloseReason('timeout', 'no hello came'));
    }, HELLO_TIMEOUT_MS);
    let session: Session | null = null;
    onCallOver(call, () => {
      clearTimeout(timer);
      if (session !== null) this.drop(session);
    });
    call.on('end', () => call.end());
    call.on('data', (request: ReplicateRequest) => {
      clearTimeout(timer);
      const { message } = request;
      if (session === null) {
        if (message?.$case === 'hello') session = this.open(call, message.value);
        else failCall(call, errorOfCloseReason('protocol-violation', 'the first message is hello'));
      } else if (message?.$case === 'ack') this.takeAck(session, message.value);
      else if (message?.$case === 'goodbye') this.noteGoodbye(session, message.value.reason);
    });
  }

  standBy(effect: Effect<'stand-by'>): void {
    const session = this.sessions.get(effect.session);
    if (session === undefined) return;
    const { epoch } = effect;
    const node = this.options.node.holder.incarnation;
    this.write(session, 64, { $case: 'standBy', value: { epoch, node } });
    this.note(session, 'backup stands by');
  }

  answerHello(effect: Effect<'answer-hello'>): void {
    const session = this.sessions.get(effect.session);
    if (session === undefined) return;
    const { node } = this.options;
    this.write(session, 256, {
      $case: 'accepted',
      value: {
        epoch: effect.epoch,
        firstSeq: effect.mode === 'resume' ? effect.seq + 1n : 0n,
        snapshot: effect.mode === 'snapshot',
        heartbeatMs: node.limits.heartbeatMs,
        node: node.holder.incarnation,
        windowBytes: BigInt(node.limits.unackedBytes),
      },
    });
  }

  takeSnapshot(id: number, epoch: bigint): void {
    const session = this.sessions.get(id);
    if (session === undefined) return;
    const { give, ...source } = this.options;
    const hash = createHash('sha256');
    sendMachine({ ...source, hash }, epoch, (message, bytes) =>
      this.writeWhenIdle(session, message, bytes),
    ).then(
      (figures) => {
        this.noteTransfer(id, figures);
        give({ kind: 'snapshot-taken', session: id, seq: figures.seq });
      },
      (error: unknown) => {
        const detail = error instanceof Error ? error.message : String(error);
        this.options.node.journal.note({ event: 'snapshot failed', detail });
        give({ kind: 'snapshot-failed', session: id });
      },
    );
  }

  private noteTransfer(session: number, figures: TransferFigures): void {
    const { metrics, journal } = this.options.node;
    const { rounds, bytes, seconds, stopMs, stoodStillMs, ending } = figures;
    metrics.observe('lockstep_transfer_stop_seconds', {}, stopMs / 1000);
    metrics.observe('lockstep_transfer_duration_seconds', {}, seconds);
    metrics.add('lockstep_transfer_bytes_total', {}, bytes);
    const fixed = (value: number): string => value.toFixed(3);
    journal.note({
      event: 'machine copied',
      detail: ending === 'accept' ? 'the guest writes too fast for a short stop' : '',
      fields: {
        session,
        rounds,
        bytes,
        copyMs: fixed(seconds * 1000),
        stopMs: fixed(stopMs),
        stoodStillMs: fixed(stoodStillMs),
      },
    });
  }

  sendBatch(effect: Effect<'send-batch'>): void {
    const session = this.sessions.get(effect.session);
    if (session === undefined) return;
    const { epoch, releasedSeq, counted } = effect;
    const sentMs = CoreDriver.nowMs();
    session.measured ??= { seq: effect.lastSeq, heartbeatNs: 0n, sentMs };
    const batches = this.options.tail.range(effect.firstSeq, effect.lastSeq);
    for (let from = 0; from < batches.length;) {
      let bytes = 0;
      let to = from;
      for (; to < batches.length; to += 1) {
        const size = batches[to]?.bytes.length ?? 0;
        if (to > from && bytes + size > MESSAGE_LOG_BYTES) break;
        bytes += size;
      }
      const run = batches.slice(from, to);
      const first = present(run[0], 'first batch of a message');
      const last = present(run.at(-1), 'last batch of a message');
      const { firstSeq } = first;
      const { lastSeq, recordedNs } = last;
      const data = Buffer.concat(run.map((batch) => batch.bytes));
      this.write(session, data.length, {
        $case: 'batch',
        value: { epoch, firstSeq, lastSeq, data, recordedNs, releasedSeq, counted },
      });
      this.sentBytes.sum += bytes;
      from = to;
    }
  }

  sendHeartbeat(effect: Effect<'send-heartbeat'>): void {
    const session = this.sessions.get(effect.session);
    if (session === undefined) return;
    const { epoch, lastSeq: recordedSeq, releasedSeq } = effect;
    const steps = [...this.options.hart.progress().steps];
    const sentNs = process.hrtime.bigint();
    session.measured ??= { seq: 0n, heartbeatNs: sentNs, sentMs: CoreDriver.nowMs() };
    this.write(session, 128, {
      $case: 'heartbeat',
      value: { epoch, recordedSeq, steps, sentNs, releasedSeq },
    });
    this.options.node.metrics.add('lockstep_heartbeats_total', { direction: 'sent' });
  }

  /** The core has given this session up, or never took it. */
  closeStream(effect: Effect<'close-stream'>, primary: string | null, epoch: bigint): void {
    const session = this.sessions.get(effect.session);
    if (session === undefined) return;
    this.forget(session);
    if (effect.reason === 'stale-epoch') {
      this.options.node.metrics.add('lockstep_fenced_total', { what: 'hello' });
    }
    const error = errorOfCloseReason(effect.reason, session.mismatch, {
      epoch,
      ...(primary === null ? {} : { primary }),
    });
    failCall(session.call, error);
  }

  /** Ends every session, as the death of this process would. */
  close(): void {
    for (const session of this.sessions.values()) {
      this.forget(session);
      session.call.end();
    }
  }

  private open(call: ReplicateCall, hello: Hello): Session {
    const { node, hart, tail } = this.options;
    const id = this.nextSession++;
    const session: Session = {
      id,
      call,
      writer: new BoundedWriter(call, STREAM_QUEUE_BYTES, () => this.noteIdle(session)),
      onIdle: null,
      mismatch: mismatchOf(hello, { machineId: node.machineId, digest: hart.digest }),
      isOver: false,
      address: hello.address,
      verifies: hello.verifies,
      measured: null,
      ackedSteps: [],
    };
    this.sessions.set(id, session);
    this.options.onBackups();
    const purpose = hello.verifies ? 'verify' : 'protect';
    const fields = { position: hello.receivedSeq, purpose };
    this.note(session, 'backup connected', session.mismatch, fields);
    this.options.give({
      kind: 'backup-opened',
      session: id,
      purpose,
      position: hello.receivedSeq,
      epoch: hello.epoch,
      compatible: session.mismatch === '',
      resumable: isResumable(hello, tail),
    });
    return session;
  }

  private takeAck(session: Session, ack: Ack): void {
    const { tail, node, give } = this.options;
    session.ackedSteps = ack.steps;
    if (ack.epoch !== this.options.epoch()) {
      node.metrics.add('lockstep_fenced_total', { what: 'ack' });
    }
    const { measured } = session;
    const isAnswered =
      measured !== null &&
      ack.receivedSeq >= measured.seq &&
      ack.heartbeatSentNs >= measured.heartbeatNs;
    if (isAnswered) {
      session.measured = null;
      const seconds = (CoreDriver.nowMs() - measured.sentMs) / 1000;
      node.metrics.observe('lockstep_ack_rtt_seconds', {}, seconds);
    }
    // A backup that still loads its snapshot holds nothing, and says so.
    const hash = ack.receivedSeq === 0n ? null : tail.hashAt(ack.receivedSeq);
    give({
      kind: 'ack',
      session: session.id,
      epoch: ack.epoch,
      receivedSeq: ack.receivedSeq,
      durableSeq: ack.durableSeq,
      replayedSeq: ack.appliedSeq,
      chainMatches: ack.receivedSeq === 0n || (hash !== null && toHex(hash) === toHex(ack.chain)),
    });
  }

  private noteGoodbye(session: Session, reason: string): void {
    this.note(session, 'backup leaves', reason);
  }

  private note(session: Session, event: string, detail = '', more: JournalFields = {}): void {
    const fields = { session: session.id, backup: session.address, ...more };
    this.options.node.journal.note({ event, detail, fields });
  }

  private write(
    session: Session,
    bytes: number,
    message: NonNullable<ReplicateResponse['message']>,
  ): void {
    if (session.isOver) return;
    const taken = session.writer.offer({ message }, bytes);
    if (!taken) {
      this.drop(session);
      failCall(session.call, errorOfCloseReason('timeout', 'the backup does not read'));
    } else if (!session.writer.isIdle) {
      this.options.give({ kind: 'blocked', session: session.id });
    }
  }

  private async writeWhenIdle(
    session: Session,
    message: NonNullable<ReplicateResponse['message']>,
    bytes: number,
  ): Promise<boolean> {
    while (!session.writer.isIdle && !session.isOver) {
      await new Promise<void>((resolve) => {
        session.onIdle = resolve;
      });
    }
    this.write(session, bytes, message);
    return !session.isOver;
  }

  private noteIdle(session: Session): void {
    this.options.give({ kind: 'writable', session: session.id });
    session.onIdle?.();
  }

  /** The call is over without the core having asked for it. */
  private drop(session: Session): void {
    if (!this.sessions.has(session.id)) return;
    this.forget(session);
    this.options.give({ kind: 'backup-closed', session: session.id });
  }

  private forget(session: Session): void {
    session.isOver = true;
    session.writer.close();
    session.onIdle?.();
    this.sessions.delete(session.id);
    this.options.onBackups();
  }
}

/** Of each hart the fewer steps. */
function fewest(left: readonly bigint[], right: readonly bigint[]): readonly bigint[] {
  return left.map((steps, hart) => {
    const other = right[hart] ?? steps;
    return other < steps ? other : steps;
  });
}
