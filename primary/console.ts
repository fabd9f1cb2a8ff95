/**
 * The consoles of clients: released output fanned out by byte offset, input taken in.
 *
 * Each client reads from the history at its own pace: nothing is queued for it but what HTTP/2
 * asked for, so a client that does not read holds up nobody, and all of them together cost what a
 * history keeps at most. One that falls behind what is kept is told so. One client writes to a
 * stream, any number reads; a newer writer takes over.
 *
 * A node that takes over knows where each history goes on only when its machine does; clients that
 * come before wait, since one that had been given a history would go on reading the old one.
 *
 * Invariant: only what the gate has let pass is in a history.
 */

import { LockstepError } from '../lib/base/error.js';
import {
  INPUT_STREAMS,
  OUTPUT_STREAMS,
  type InputStream,
  type OutputStream,
} from '../lib/event/event.js';
import type { MachineStop } from '../lib/machine/machine.js';
import type { AttachCall } from '../lib/node/role.js';
import { StreamHistory } from '../lib/node/stream-history.js';
import { failCall, onCallOver } from '../lib/rpc/calls.js';
import type { AttachOpen, AttachRequest } from '../lib/rpc/generated/lockstep/v1/console.js';
import { HELLO_TIMEOUT_MS } from '../lib/rpc/limits.js';
import { ConsoleClient, type ConsoleHubOptions } from './console-client.js';

export class ConsoleHub {
  readonly histories = new Map<OutputStream, StreamHistory>();
  private readonly options: ConsoleHubOptions;
  private readonly clients = new Set<ConsoleClient>();
  private backups: readonly string[] = [];
  /** Requests that wait for `serve`; null once it was called. */
  private waiting: (() => void)[] | null = [];

  constructor(options: ConsoleHubOptions) {
    this.options = options;
    for (const stream of OUTPUT_STREAMS) this.histories.set(stream, new StreamHistory());
    options.node.metrics.onSample(() => {
      options.node.metrics.set('lockstep_console_clients', {}, this.clients.size);
    });
  }

  /** What a predecessor had let out; before anything is published. */
  seed(stream: OutputStream, history: StreamHistory): void {
    this.histories.set(stream, history);
  }

  /** What follows begins at `offset`: earlier history is kept if it reaches that far. */
  goOn(stream: OutputStream, offset: bigint): void {
    const history = this.histories.get(stream);
    history?.truncate(offset);
    if (history?.end !== offset) this.histories.set(stream, new StreamHistory(offset));
  }

  /** The histories are what clients may read from now on. */
  serve(): void {
    const waiting = this.waiting ?? [];
    this.waiting = null;
    for (const take of waiting) take();
  }

  /** Bytes that may leave; what left before is skipped. */
  publish(stream: OutputStream, offset: bigint, bytes: Uint8Array): void {
    const history = this.histories.get(stream);
    const readers = [...this.clients].filter((client) => client.reads(stream));
    const unread = readers.reduce((least, { offset: at }) => (at < least ? at : least), offset);
    if (history === undefined || !history.append(offset, bytes, unread)) {
      throw new LockstepError('DIVERGED', `output of ${stream} at ${offset} leaves a gap`);
    }
    for (const client of readers) client.pump();
  }

  /** Where the backups serve from now on. */
  tellBackups(addresses: readonly string[]): void {
    this.backups = addresses;
    for (const client of this.clients) client.tellBackups(addresses);
  }

  /** The machine has this input in its log; more may follow. */
  inputLogged(client: bigint, sequence: bigint): void {
    for (const one of this.clients) if (one.client === client) one.inputLogged(sequence);
  }

  /** The log that holds this input is committed. */
  inputCommitted(client: bigint, sequence: bigint): void {
    for (const one of this.clients) if (one.client === client) one.inputCommitted(sequence);
  }

  attach(call: AttachCall): void {
    const timer = setTimeout(() => {
      failCall(call, new LockstepError('IO', 'no request came'));
    }, HELLO_TIMEOUT_MS);
    let client: ConsoleClient | null = null;
    let isOver = false;
    onCallOver(call, () => {
      isOver = true;
      clearTimeout(timer);
      client?.close();
      if (client !== null) this.clients.delete(client);
    });
    const take = (request: AttachRequest): void => {
      if (isOver) return;
      try {
        const { message } = request;
        if (client === null) {
          if (message?.$case !== 'open') {
            throw new LockstepError('USAGE', 'the first request opens the console');
          }
          client = this.open(call, message.value);
        } else if (message?.$case === 'input') client.takeInput(message.value);
      } catch (error) {
        failCall(call, error);
      }
    };
    call.on('data', (request: AttachRequest) => {
      clearTimeout(timer);
      if (this.waiting === null) take(request);
      else this.waiting.push(() => take(request));
    });
  }

  /** The machine ended in order: every client is told, and its call ends. */
  endInOrder(stop: MachineStop): void {
    for (const client of this.clients) client.endInOrder(stop);
  }

  /** This node may not speak any more. */
  endWith(error: LockstepError): void {
    for (const client of this.clients) client.fail(error);
  }

  private open(call: AttachCall, open: AttachOpen): ConsoleClient {
    const { node } = this.options;
    const epoch = this.options.epoch();
    if (open.machineId !== '' && open.machineId !== node.machineId) {
      const message = `this is machine ${node.machineId}, not ${open.machineId}`;
      throw new LockstepError('INCOMPATIBLE_PEER', message);
    }
    if (open.client === 0n) throw new LockstepError('USAGE', 'a client needs a name other than 0');
    if (open.epoch > epoch) {
      node.metrics.add('lockstep_fenced_total', { what: 'attach' });
      const message = `the client has seen epoch ${open.epoch}, this node speaks in ${epoch}`;
      throw new LockstepError('FENCED', message, { epoch: open.epoch });
    }
    const stream = streamOf(open.stream);
    const history = this.histories.get(stream) ?? new StreamHistory();
    if (open.offset < history.start && !open.fromOldest) {
      const message = `output before byte ${history.start} is not kept; ${open.offset} was wanted`;
      throw new LockstepError('BAD_LOG', message, { oldest: history.start });
    }
    if (open.write) this.displaceWriter(stream, open.client);
    const client = new ConsoleClient({ ...this.options, call, open, stream, history });
    this.clients.add(client);
    client.start();
    client.tellBackups(this.backups);
    return client;
  }

  private displaceWriter(stream: InputStream, client: bigint): void {
    for (const other of this.clients) {
      if (!other.isWriter || other.stream !== stream) continue;
      const isSame = other.client === client;
      const error = isSame
        ? new LockstepError('IO', 'this client has attached again')
        : new LockstepError('USAGE', 'another client writes to this console now');
      other.fail(error);
      this.clients.delete(other);
    }
  }
}

function streamOf(name: string): InputStream {
  const found = INPUT_STREAMS.find((stream) => stream === (name === '' ? 'uart' : name));
  if (found !== undefined) return found;
  throw new LockstepError(
    'USAGE',
    `"${name}" is no console; there are ${INPUT_STREAMS.join(', ')}`,
  );
}
