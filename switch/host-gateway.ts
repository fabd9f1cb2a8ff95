/**
 * The gateway of the machines' network, with the sockets of the host and the clock.
 *
 *   frames <--> Gateway <--> HostStreams, HostDatagrams
 */

import { randomBytes } from 'node:crypto';
import { performance } from 'node:perf_hooks';
import { unreachable } from '../lib/base/assert.js';
import { Gateway } from '../lib/network/gateway.js';
import type { GatewayInput, GatewayOutput, Reach } from '../lib/network/gateway-contract.js';
import { HostDatagrams } from './host-datagrams.js';
import { HostStreams, type Forward } from './host-streams.js';
import type { Outside } from './outside.js';

export interface HostGatewayOptions {
  readonly forwards: readonly Forward[];
  readonly reach: Reach;
}

export class HostGateway implements Outside {
  private readonly forwards: readonly Forward[];
  private readonly emit: (frame: Uint8Array) => void;
  private readonly gateway: Gateway;
  private readonly streams: HostStreams;
  private readonly datagrams: HostDatagrams;
  private timer: NodeJS.Timeout | null = null;
  private timerAtMs = Infinity;

  /** `emit` is given the frames for machines. */
  constructor({ forwards, reach }: HostGatewayOptions, emit: (frame: Uint8Array) => void) {
    this.forwards = forwards;
    this.emit = emit;
    this.gateway = new Gateway({ reach, seed: randomBytes(4).readUInt32BE() });
    this.streams = new HostStreams({
      give: (input) => this.give(input),
      takeNumber: () => this.gateway.takeStreamNumber(),
    });
    this.datagrams = new HostDatagrams((input) => this.give(input));
  }

  /** Opens the forwarded ports, and gives their numbers, in order. Errors: IO. */
  async listen(): Promise<readonly number[]> {
    const chosen: number[] = [];
    for (const forward of this.forwards) chosen.push(await this.streams.listen(forward));
    return chosen;
  }

  take(frame: Uint8Array): void {
    this.give({ kind: 'frame', bytes: frame });
  }

  pluggedIn(): void {
    this.give({ kind: 'link-up' });
  }

  close(): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.streams.close();
    this.datagrams.close();
  }

  private give(input: GatewayInput): void {
    for (const output of this.gateway.step(input, performance.now())) this.perform(output);
    this.schedule();
  }

  private perform(output: GatewayOutput): void {
    switch (output.kind) {
      case 'frame':
        return this.emit(output.bytes);
      case 'connect':
        return this.streams.connect(output.stream, output.address, output.port);
      case 'write':
        return this.streams.write(output.stream, output.bytes);
      case 'finish':
        return this.streams.finish(output.stream);
      case 'abort':
        return this.streams.abort(output.stream);
      case 'read':
        return this.streams.read(output.stream, output.on);
      case 'send':
        return this.datagrams.send(output.flow, output, output.bytes);
      case 'close-flow':
        return this.datagrams.closeFlow(output.flow);
      case 'resolve':
        return this.datagrams.resolve(output.query, output.bytes);
      default:
        return unreachable(output);
    }
  }

  /** One timer, for the earliest deadline. */
  private schedule(): void {
    const deadline = this.gateway.deadlineMs();
    if (deadline === null || deadline >= this.timerAtMs) return;
    if (this.timer !== null) clearTimeout(this.timer);
    this.timerAtMs = deadline;
    this.timer = setTimeout(
      () => {
        this.timer = null;
        this.timerAtMs = Infinity;
        this.give({ kind: 'tick' });
      },
      Math.max(1, deadline - performance.now()),
    );
  }
}
