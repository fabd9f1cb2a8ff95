/**
 * One call of ConsoleService.Attach, from its open to its end. It knows no retry and no epoch.
 */

import type { ClientDuplexStream } from '@grpc/grpc-js';
import type {
  AttachOpen,
  AttachRequest,
  AttachResponse,
} from '../rpc/generated/lockstep/v1/console.js';
import { ConsoleServiceService } from '../rpc/generated/lockstep/v1/console.js';
import type { NodeClient } from './primary-finder.js';

export interface LinkEvents {
  opened(epoch: bigint, offset: bigint): void;
  output(epoch: bigint, offset: bigint, bytes: Uint8Array): void;
  inputAck(epoch: bigint, sequence: bigint): void;
  nodes(addresses: readonly string[]): void;
  power(epoch: bigint, cause: string, status: number): void;
  /** The call is over; null where the node ended it without a failure. */
  over(failure: unknown): void;
}

export class ConsoleLink {
  address = '';
  private readonly call: ClientDuplexStream<AttachRequest, AttachResponse>;
  private readonly events: LinkEvents;
  private isOpen = false;
  private isClosed = false;

  constructor(client: NodeClient, events: LinkEvents) {
    const { path, requestSerialize, responseDeserialize } = ConsoleServiceService.attach;
    this.events = events;
    this.call = client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize);
    this.call.on('data', (response: AttachResponse) => this.take(response));
    this.call.on('error', (error) => this.end(error));
    this.call.on('end', () => this.end(null));
  }

  open(open: AttachOpen): void {
    this.call.write({ message: { $case: 'open', value: open } });
  }

  /** Input goes out once the node has answered; before that it is the session's to send. */
  sendInput(sequence: bigint, bytes: Uint8Array): void {
    if (!this.isOpen || this.isClosed) return;
    const value = { sequence, data: Buffer.from(bytes) };
    this.call.write({ message: { $case: 'input', value } });
  }

  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.call.cancel();
  }

  private take({ message }: AttachResponse): void {
    if (this.isClosed) return;
    switch (message?.$case) {
      case 'opened':
        this.isOpen = true;
        return this.events.opened(message.value.epoch, message.value.offset);
      case 'output':
        return this.events.output(message.value.epoch, message.value.offset, message.value.data);
      case 'inputAck':
        return this.events.inputAck(message.value.epoch, message.value.sequence);
      case 'nodes':
        return this.events.nodes(message.value.addresses);
      case 'power': {
        const { epoch, cause, status } = message.value;
        return this.events.power(epoch, cause, status);
      }
      case undefined:
    }
  }

  private end(failure: unknown): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.events.over(failure);
  }
}
