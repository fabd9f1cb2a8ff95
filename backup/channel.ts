/**
 * The backup's end of the log stream: dials, says hello, passes on what arrives, acknowledges.
 *
 * Messages are taken in turns of the event loop: what one read brought is given to the core
 * together, so that one acknowledgement answers all of it.
 *
 * Invariant: inputs carry the number of the stream they came from; of a stream that was closed
 * nothing is passed on any more.
 */

import { Client, connectivityState, type ClientDuplexStream } from '@grpc/grpc-js';
import { LOG_FORMAT_VERSION } from '../lib/event/event.js';
import type { Node } from '../lib/node/node.js';
import type { BackupEffect, BackupInput } from '../lib/protocol/backup-contract.js';
import { clientTarget } from '../lib/rpc/client.js';
import { closeReasonOf } from '../lib/rpc/close-reason.js';
import type {
  ReplicateRequest,
  ReplicateResponse,
} from '../lib/rpc/generated/lockstep/v1/replication.js';
import { PROTOCOL_VERSION } from '../lib/rpc/limits.js';
import { FAST_REPLICATION_SERVICE } from '../lib/rpc/replicate-codec.js';
import { errorOfStatus } from '../lib/rpc/status-table.js';

type Call = ClientDuplexStream<ReplicateRequest, ReplicateResponse>;
type Effect<Kind extends BackupEffect['kind']> = Extract<BackupEffect, { readonly kind: Kind }>;
export type PrimaryMessage = NonNullable<ReplicateResponse['message']>;

interface Stream {
  readonly number: number;
  readonly address: string;
  readonly client: Client;
  call: Call | null;
  inbox: PrimaryMessage[];
  isScheduled: boolean;
  /** What ended the stream, to be told after the messages before it. */
  ending: BackupInput | null;
}

export interface ChannelOptions {
  readonly node: Node;
  /** This node only compares. */
  readonly verifies: boolean;
  readonly digest: () => string;
  /** Chain hash after entry `seq`, empty at the start. */
  readonly chainAt: (seq: bigint) => Uint8Array;
  readonly steps: () => readonly bigint[];
  readonly give: (input: BackupInput) => void;
  /** A message of the current stream; `more` says that another follows at once. */
  readonly receive: (stream: number, message: PrimaryMessage, more: boolean) => void;
}

export class BackupChannel {
  private readonly options: ChannelOptions;
  private stream: Stream | null = null;
  private heartbeatSentNs = 0n;
  /** What a primary said last when it refused this node; empty if none did. */
  lastRefusal = '';

  constructor(options: ChannelOptions) {
    this.options = options;
  }

  /** Where the current stream leads, null without one. */
  get primaryAddress(): string | null {
    return this.stream?.address ?? null;
  }

  dial(effect: Effect<'dial'>): void {
    this.drop();
    const { target, credentials, options } = clientTarget(effect.address);
    const client = new Client(target, credentials, options);
    const stream: Stream = {
      number: effect.stream,
      address: effect.address,
      client,
      call: null,
      inbox: [],
      isScheduled: false,
      ending: null,
    };
    this.stream = stream;
    this.awaitConnection(stream, Date.now() + this.options.node.limits.dialTimeoutMs);
  }

  /** A refused connection is told at once: among many addresses some are of dead hosts. */
  private awaitConnection(stream: Stream, deadline: number): void {
    if (this.stream !== stream) return;
    const channel = stream.client.getChannel();
    const state = channel.getConnectivityState(true);
    const isOver = state === connectivityState.TRANSIENT_FAILURE || Date.now() >= deadline;
    if (state === connectivityState.READY) {
      this.options.give({ kind: 'connected', stream: stream.number });
    } else if (isOver) {
      this.drop();
      this.options.give({ kind: 'closed', stream: stream.number, reason: null });
    } else {
      channel.watchConnectivityState(state, deadline, () => this.awaitConnection(stream, deadline));
    }
  }

  sendHello(effect: Effect<'send-hello'>): void {
    const stream = this.stream;
    if (stream?.number !== effect.stream) return;
    const { node, digest, chainAt } = this.options;
    stream.call = this.open(stream);
    const chain = effect.position === 0n ? new Uint8Array(0) : chainAt(effect.position);
    this.write({
      $case: 'hello',
      value: {
        protocolVersion: PROTOCOL_VERSION,
        logFormatVersion: LOG_FORMAT_VERSION,
        machineId: node.machineId,
        machineDigest: digest(),
        epoch: effect.epoch,
        receivedSeq: effect.position,
        chain: Buffer.from(chain),
        node: node.holder.incarnation,
        address: node.address,
        verifies: this.options.verifies,
      },
    });
  }

  sendAck(effect: Effect<'send-ack'>): void {
    if (this.stream?.number !== effect.stream) return;
    const { chainAt, steps } = this.options;
    const chain = effect.receivedSeq === 0n ? new Uint8Array(0) : chainAt(effect.receivedSeq);
    this.write({
      $case: 'ack',
      value: {
        epoch: effect.epoch,
        receivedSeq: effect.receivedSeq,
        appliedSeq: effect.replayedSeq,
        durableSeq: effect.durableSeq,
        steps: [...steps()],
        heartbeatSentNs: this.heartbeatSentNs,
        chain: Buffer.from(chain),
      },
    });
  }

  noteHeartbeat(sentNs: bigint): void {
    this.heartbeatSentNs = sentNs;
  }

  closeStream(effect: Effect<'close-stream'>): void {
    if (this.stream?.number !== effect.stream) return;
    this.write({ $case: 'goodbye', value: { reason: effect.reason } });
    this.drop();
  }

  /** Leaves the stream, if there is one. */
  drop(): void {
    const stream = this.stream;
    if (stream === null) return;
    this.stream = null;
    stream.call?.end();
    stream.client.close();
  }

  private open(stream: Stream): Call {
    const { path, requestSerialize, responseDeserialize } = FAST_REPLICATION_SERVICE.replicate;
    const call: Call = stream.client.makeBidiStreamRequest(
      path,
      requestSerialize,
      responseDeserialize,
    );
    call.on('data', (response: ReplicateResponse) => {
      if (response.message !== undefined) this.queue(stream, response.message);
    });
    call.on('error', (error) => this.end(stream, this.endingOf(stream.number, error)));
    call.on('end', () => {
      this.end(stream, { kind: 'closed', stream: stream.number, reason: null });
    });
    return call;
  }

  /** What a failed call means for the core. */
  private endingOf(stream: number, failure: unknown): BackupInput {
    const error = errorOfStatus(failure);
    const reason = closeReasonOf(error);
    if (error.code !== 'IO' || reason !== null) this.noteRefusal(error.message);
    const { primary } = error.fields;
    if (error.code === 'NOT_PRIMARY' && reason !== 'stopped') {
      return { kind: 'redirected', stream, primary: primary === undefined ? null : `${primary}` };
    }
    return { kind: 'closed', stream, reason };
  }

  /** A refusal is told to the operator once, not at each try. */
  private noteRefusal(message: string): void {
    if (message === this.lastRefusal) return;
    this.lastRefusal = message;
    this.options.node.journal.note({ event: 'primary refuses', detail: message });
  }

  private queue(stream: Stream, message: PrimaryMessage): void {
    stream.inbox.push(message);
    this.schedule(stream);
  }

  private end(stream: Stream, input: BackupInput): void {
    stream.ending ??= input;
    this.schedule(stream);
  }

  private schedule(stream: Stream): void {
    if (stream.isScheduled) return;
    stream.isScheduled = true;
    setImmediate(() => {
      stream.isScheduled = false;
      this.takeInbox(stream);
    });
  }

  private takeInbox(stream: Stream): void {
    const messages = stream.inbox;
    stream.inbox = [];
    for (const [index, message] of messages.entries()) {
      if (this.stream !== stream) return;
      this.options.receive(stream.number, message, index + 1 < messages.length);
    }
    if (stream.ending === null || this.stream !== stream) return;
    this.drop();
    this.options.give(stream.ending);
  }

  private write(message: NonNullable<ReplicateRequest['message']>): void {
    // Acknowledgements are small and few; what a stalled primary leaves unread is bounded by the
    // log it has sent.
    this.stream?.call?.write({ message });
  }
}
