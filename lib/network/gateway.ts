/**
 * The gateway of the machines' network: what stands behind it is the host, without privileges.
 *
 *      frames <--> Neighbors (ARP) <--> Datagrams (DHCP, names, UDP)  <--> sockets of the host
 *                                  <--> Streams (TCP)                 <-->
 *                                  <--> echo
 *
 * A core without sockets and clocks: `step(input, now)` gives outputs, `deadlineMs` says when it
 * wants a tick.
 */

import { unreachable } from '../base/assert.js';
import { Datagrams } from './datagrams.js';
import { BROADCAST, ETHERTYPE, parseFrame } from './ethernet.js';
import {
  GATEWAY_IP,
  GATEWAY_MAC,
  NAME_SERVER_IP,
  type GatewayInput,
  type GatewayOptions,
  type GatewayOutput,
} from './gateway-contract.js';
import { parsePacket, PROTOCOL, type Packet } from './ipv4.js';
import { Neighbors } from './neighbors.js';
import { Streams } from './streams.js';
import { answerEcho } from './udp.js';

export class Gateway {
  private readonly neighbors: Neighbors;
  private readonly datagrams: Datagrams;
  private readonly streams: Streams;
  private outputs: GatewayOutput[] = [];

  constructor(options: GatewayOptions) {
    const emit = (output: GatewayOutput): void => {
      this.outputs.push(output);
    };
    this.neighbors = new Neighbors(
      (bytes) => emit({ kind: 'frame', bytes }),
      (ip) => this.streams.kick(ip),
    );
    this.datagrams = new Datagrams({ reach: options.reach, neighbors: this.neighbors, emit });
    this.streams = new Streams({ ...options, neighbors: this.neighbors, emit });
  }

  /** Streams that stand. */
  get streamCount(): number {
    return this.streams.count;
  }

  /** A number for a stream that the host begins. */
  takeStreamNumber(): number {
    return this.streams.takeNumber();
  }

  /** When the next `tick` is wanted, null for never. */
  deadlineMs(): number | null {
    const one = this.streams.deadlineMs();
    const other = this.datagrams.deadlineMs();
    if (one === null || other === null) return one ?? other;
    return Math.min(one, other);
  }

  step(input: GatewayInput, nowMs: number): readonly GatewayOutput[] {
    this.take(input, nowMs);
    this.streams.flush(nowMs);
    const { outputs } = this;
    this.outputs = [];
    return outputs;
  }

  private take(input: GatewayInput, nowMs: number): void {
    switch (input.kind) {
      case 'frame':
        return this.takeFrame(input.bytes, nowMs);
      case 'link-up':
        return this.streams.kick(null);
      case 'client':
        return this.streams.open(input.stream, input.address, input.port);
      case 'connected':
        return this.streams.connected(input.stream, input.ok);
      case 'data':
        return this.streams.data(input.stream, input.bytes);
      case 'ended':
        return this.streams.ended(input.stream);
      case 'failed':
        return this.streams.failed(input.stream);
      case 'written':
        return this.streams.written(input.stream, input.count);
      case 'datagram':
        return this.datagrams.deliver(input.flow, input, input.bytes);
      case 'resolved':
        return this.datagrams.resolved(input.query, input.bytes);
      case 'tick':
        this.streams.tick(nowMs);
        return this.datagrams.tick(nowMs);
      default:
        return unreachable(input);
    }
  }

  private takeFrame(bytes: Uint8Array, nowMs: number): void {
    const frame = parseFrame(bytes);
    if (frame === null || (frame.target !== GATEWAY_MAC && frame.target !== BROADCAST)) return;
    if (frame.type === ETHERTYPE.arp) return this.neighbors.receive(frame);
    if (frame.type !== ETHERTYPE.ipv4) return;
    const packet = parsePacket(frame.payload);
    if (packet === null) return;
    this.neighbors.learn(packet.source, frame.source);
    this.takePacket(packet, nowMs);
  }

  private takePacket(packet: Packet, nowMs: number): void {
    switch (packet.protocol) {
      case PROTOCOL.tcp:
        return this.streams.receive(packet, nowMs);
      case PROTOCOL.udp:
        return this.datagrams.receive(packet, nowMs);
      case PROTOCOL.icmp: {
        const isOurs = packet.target === GATEWAY_IP || packet.target === NAME_SERVER_IP;
        const answer = isOurs ? answerEcho(packet) : null;
        if (answer !== null) this.neighbors.send(packet.source, answer);
        return;
      }
      default:
    }
  }
}
