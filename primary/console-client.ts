/**
 * One attached console: where it reads, what it has sent, what of that is in the log.
 *
 * Invariant: committed <= logged <= sent, all counted in bytes of this client's input. Beyond a
 * limit of bytes that the machine has not taken, nothing more is read from the client.
 */

import { LockstepError } from '../lib/base/error.js';
import type { InputStream, OutputStream } from '../lib/event/event.js';
import type { ConsoleInputOrder } from '../lib/host/hart-messages.js';
import type { MachineStop } from '../lib/machine/machine.js';
import type { Node } from '../lib/node/node.js';
import type { AttachCall } from '../lib/node/role.js';
import type { StreamHistory } from '../lib/node/stream-history.js';
import { BoundedWriter } from '../lib/rpc/bounded-writer.js';
import { failCall } from '../lib/rpc/calls.js';
import type {
  AttachOpen,
  AttachResponse,
  ConsoleInput,
} from '../lib/rpc/generated/lockstep/v1/console.js';
import { CONSOLE_INPUT_BYTES, CONSOLE_OUTPUT_BYTES } from '../lib/rpc/limits.js';

/** Input that the machine has not taken: a few pastes. */
const MAX_UNLOGGED_BYTES = 64n * 1024n;
/** Answers that a client may leave unread; it has sent that much input. */
const ANSWER_QUEUE_BYTES = 64 * 1024;

/** What all consoles of a primary share. */
export interface ConsoleHubOptions {
  readonly node: Node;
  /** Epoch in which this node speaks now. */
  readonly epoch: () => bigint;
  readonly sendInput: (input: ConsoleInputOrder) => void;
}

export interface ConsoleClientOptions extends ConsoleHubOptions {
  readonly call: AttachCall;
  readonly open: AttachOpen;
  readonly stream: InputStream;
  readonly history: StreamHistory;
}

export class ConsoleClient {
  readonly client: bigint;
  readonly stream: InputStream;
  readonly isWriter: boolean;
  private readonly options: ConsoleClientOptions;
  private readonly writer: BoundedWriter<AttachResponse>;
  private nextOffset: bigint;
  private sent = 0n;
  private logged = 0n;
  private isPaused = false;
  private isOver = false;

  constructor(options: ConsoleClientOptions) {
    this.options = options;
    const { open, history } = options;
    this.client = open.client;
    this.stream = options.stream;
    this.isWriter = open.write;
    this.nextOffset = open.offset < history.start ? history.start : open.offset;
    this.writer = new BoundedWriter(options.call, ANSWER_QUEUE_BYTES, () => this.pump());
  }

  /** Offset of the next byte that this client is given. */
  get offset(): bigint {
    return this.nextOffset;
  }

  reads(stream: OutputStream): boolean {
    return this.stream === stream;
  }

  start(): void {
    const { node, open } = this.options;
    this.send(
      {
        $case: 'opened',
        value: {
          epoch: this.options.epoch(),
          offset: this.nextOffset,
          writer: this.isWriter,
          node: node.holder.incarnation,
        },
      },
      64,
    );
    node.journal.note({
      event: 'console attached',
      fields: { client: open.client.toString(16), stream: this.stream, offset: this.nextOffset },
    });
    this.pump();
  }

  /** Sends what is there for this client, as far as the transport takes it. */
  pump(): void {
    const { history } = this.options;
    while (!this.isOver && this.writer.isIdle && this.nextOffset < history.end) {
      if (this.nextOffset < history.start) {
        const message = `the client fell behind: output before byte ${history.start} is not kept`;
        this.fail(new LockstepError('BAD_LOG', message, { oldest: history.start }));
        return;
      }
      const bytes = history.read(this.nextOffset, CONSOLE_OUTPUT_BYTES);
      const data = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      const value = { epoch: this.options.epoch(), offset: this.nextOffset, data };
      this.nextOffset += BigInt(data.length);
      this.send({ $case: 'output', value }, data.length);
    }
  }

  takeInput(input: ConsoleInput): void {
    if (!this.isWriter) throw new LockstepError('USAGE', 'this client attached to read only');
    if (input.data.length > CONSOLE_INPUT_BYTES) {
      const message = `${input.data.length} bytes of input; at most ${CONSOLE_INPUT_BYTES} at once`;
      throw new LockstepError('USAGE', message);
    }
    const { node, sendInput } = this.options;
    node.metrics.add('lockstep_console_input_bytes_total', {}, input.data.length);
    sendInput({
      stream: this.stream,
      client: this.client,
      sequence: input.sequence,
      bytes: new Uint8Array(input.data),
    });
    // The first input of a reconnected client tells where its unacknowledged bytes begin.
    const start = input.sequence - BigInt(input.data.length);
    if (this.sent === 0n && start > 0n) this.logged = start;
    if (input.sequence > this.sent) this.sent = input.sequence;
    this.steer();
  }

  inputLogged(sequence: bigint): void {
    if (sequence > this.logged) this.logged = sequence;
    this.steer();
  }

  inputCommitted(sequence: bigint): void {
    const value = { epoch: this.options.epoch(), sequence };
    this.send({ $case: 'inputAck', value }, 32);
  }

  tellBackups(addresses: readonly string[]): void {
    this.send({ $case: 'nodes', value: { addresses: [...addresses] } }, 64);
  }

  endInOrder(stop: MachineStop): void {
    this.pump();
    const { cause, status } = stop;
    this.send({ $case: 'power', value: { epoch: this.options.epoch(), cause, status } }, 32);
    this.isOver = true;
    this.options.call.end();
  }

  fail(error: LockstepError): void {
    if (this.isOver) return;
    this.close();
    failCall(this.options.call, error);
  }

  close(): void {
    this.isOver = true;
    this.writer.close();
  }

  private steer(): void {
    const isFull = this.sent - this.logged > MAX_UNLOGGED_BYTES;
    if (isFull === this.isPaused) return;
    this.isPaused = isFull;
    if (isFull) this.options.call.pause();
    else this.options.call.resume();
  }

  private send(message: NonNullable<AttachResponse['message']>, bytes: number): void {
    if (this.isOver || this.writer.offer({ message }, bytes)) return;
    this.fail(new LockstepError('IO', 'the client does not read'));
  }
}
