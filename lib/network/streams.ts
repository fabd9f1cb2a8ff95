/**
 * The gateway's side of TCP: each connection of a guest is tied to a stream of the host.
 *
 *   client of a forwarded port --- host's kernel --- stream == connection --- guest
 *
 * Bytes that a client was told have arrived, and that the guest has not acknowledged yet, live in
 * the connection here. That is what lets a client's connection outlive the process that runs the
 * guest: this one goes on, and sends them again when the machine has a new place.
 *
 * Both ways are bounded. A guest that does not read fills the connection's buffer, and the stream
 * is read no more; a client that does not read closes the guest's window.
 */

import { present, unreachable } from '../base/assert.js';
import {
  GATEWAY_IP,
  hostAddress,
  type GatewayOptions,
  type GatewayOutput,
} from './gateway-contract.js';
import type { Packet } from './ipv4.js';
import type { Neighbors } from './neighbors.js';
import { BUFFER_BYTES, TcpConnection, type TcpEvent } from './tcp-connection.js';
import { buildSegment, FLAG, parseSegment, type Segment } from './tcp-segment.js';

/** Beyond these a client is turned away, and a guest's SYN is answered with RST. */
export const MAX_STREAMS = 1_024;

const FIRST_PORT = 32_768;
const PORTS = 28_000;
/** Reading goes on when the buffer has come down to this. */
const LOW_WATER_BYTES = BUFFER_BYTES / 2;

interface Stream {
  readonly number: number;
  readonly connection: TcpConnection;
  /** Addresses as the guest knows them. */
  readonly guest: number;
  readonly guestPort: number;
  readonly local: number;
  readonly localPort: number;
  isReading: boolean;
  /** The host's end is gone, or knows that the guest's is. */
  isHostDone: boolean;
}

export interface StreamsOptions extends GatewayOptions {
  readonly neighbors: Neighbors;
  readonly emit: (output: GatewayOutput) => void;
}

export class Streams {
  private readonly options: StreamsOptions;
  private readonly streams = new Map<number, Stream>();
  private readonly byEnds = new Map<string, Stream>();
  private readonly stirred = new Set<Stream>();
  private nextNumber = 1;
  private nextPort = 0;
  private nextSeq: number;

  constructor(options: StreamsOptions) {
    this.options = options;
    this.nextSeq = options.seed % 2 ** 32;
  }

  get count(): number {
    return this.streams.size;
  }

  /** A number for a stream that the host begins. */
  takeNumber(): number {
    return this.nextNumber++;
  }

  deadlineMs(): number | null {
    let earliest: number | null = null;
    for (const { connection } of this.streams.values()) {
      const deadline = connection.deadlineMs();
      if (deadline !== null && (earliest === null || deadline < earliest)) earliest = deadline;
    }
    return earliest;
  }

  tick(nowMs: number): void {
    for (const stream of this.streams.values()) {
      const deadline = stream.connection.deadlineMs();
      if (deadline === null || deadline > nowMs) continue;
      stream.connection.tick(nowMs);
      this.stirred.add(stream);
    }
  }

  /** Machines, or the one with this address, may have missed what was sent. */
  kick(guest: number | null): void {
    for (const stream of this.streams.values()) {
      if (guest !== null && stream.guest !== guest) continue;
      stream.connection.kick();
      this.stirred.add(stream);
    }
  }

  /** A client of a forwarded port; `number` comes from `takeNumber`. */
  open(number: number, guest: number, guestPort: number): void {
    if (!this.makeRoom()) {
      this.options.emit({ kind: 'abort', stream: number });
      return;
    }
    const ends = {
      guest,
      guestPort,
      local: GATEWAY_IP,
      localPort: this.freePort(guest, guestPort),
    };
    const connection = TcpConnection.connect({
      localPort: ends.localPort,
      remotePort: guestPort,
      firstSeq: this.takeSeq(),
    });
    this.add({ number, connection, ...ends, isReading: true, isHostDone: false });
  }

  /** The host's connection stands, or does not. */
  connected(number: number, ok: boolean): void {
    const stream = this.streams.get(number);
    if (stream === undefined) return;
    if (ok) stream.connection.establish();
    else this.drop(stream);
    this.stirred.add(stream);
  }

  data(number: number, bytes: Uint8Array): void {
    const stream = this.streams.get(number);
    if (stream === undefined || stream.isHostDone) return;
    stream.connection.send(bytes);
    if (stream.connection.sendRoom === 0) this.read(stream, false);
    this.stirred.add(stream);
  }

  ended(number: number): void {
    const stream = this.streams.get(number);
    if (stream === undefined) return;
    stream.connection.finish();
    this.stirred.add(stream);
  }

  /** The host's end broke: the guest is told so. */
  failed(number: number): void {
    const stream = this.streams.get(number);
    if (stream === undefined) return;
    this.drop(stream);
    this.stirred.add(stream);
  }

  written(number: number, count: number): void {
    const stream = this.streams.get(number);
    if (stream === undefined) return;
    stream.connection.consumed(count);
    this.stirred.add(stream);
  }

  receive(packet: Packet, nowMs: number): void {
    const segment = parseSegment(packet);
    if (segment === null) return;
    const key = endsKey(packet.source, segment.sourcePort, packet.target, segment.targetPort);
    const stream = this.byEnds.get(key);
    if (stream !== undefined) {
      stream.connection.receive(segment, nowMs);
      this.stirred.add(stream);
      return;
    }
    const isSyn = (segment.flags & (FLAG.syn | FLAG.ack | FLAG.rst)) === FLAG.syn;
    const address = isSyn ? hostAddress(packet.target, this.options.reach) : null;
    if (address === null || !this.makeRoom()) {
      this.refuse(packet, segment);
      return;
    }
    this.answer(packet, segment, address);
  }

  /** Sends what the last inputs have brought about. */
  flush(nowMs: number): void {
    for (const stream of this.stirred) {
      const { connection } = stream;
      for (const segment of connection.takeSegments(nowMs)) {
        this.options.neighbors.send(
          stream.guest,
          buildSegment(stream.local, stream.guest, segment),
        );
      }
      for (const event of connection.takeEvents()) this.tell(stream, event);
      if (!stream.isReading && !stream.isHostDone && connection.sendRoom >= LOW_WATER_BYTES) {
        this.read(stream, true);
      }
      if (connection.isClosed) this.forget(stream);
    }
    this.stirred.clear();
  }

  /** True if one more stream may stand; one that only lingers makes room. */
  private makeRoom(): boolean {
    if (this.streams.size < MAX_STREAMS) return true;
    for (const stream of this.streams.values()) {
      if (stream.connection.phase !== 'lingering') continue;
      this.forget(stream);
      return true;
    }
    return false;
  }

  private answer(packet: Packet, syn: Segment, address: number): void {
    const number = this.takeNumber();
    const ends = {
      guest: packet.source,
      guestPort: syn.sourcePort,
      local: packet.target,
      localPort: syn.targetPort,
    };
    const connection = TcpConnection.answer(
      { localPort: ends.localPort, remotePort: ends.guestPort, firstSeq: this.takeSeq() },
      syn,
    );
    this.add({ number, connection, ...ends, isReading: true, isHostDone: false });
    this.options.emit({ kind: 'connect', stream: number, address, port: syn.targetPort });
  }

  private add(stream: Stream): void {
    this.streams.set(stream.number, stream);
    this.byEnds.set(keyOf(stream), stream);
    this.stirred.add(stream);
  }

  private tell(stream: Stream, event: TcpEvent): void {
    const { number } = stream;
    if (stream.isHostDone) return;
    switch (event.kind) {
      case 'opened':
        return;
      case 'data':
        this.options.emit({ kind: 'write', stream: number, bytes: event.bytes });
        return;
      case 'finished':
        this.options.emit({ kind: 'finish', stream: number });
        return;
      case 'failed':
        stream.isHostDone = true;
        this.options.emit({ kind: 'abort', stream: number });
        return;
      default:
        unreachable(event);
    }
  }

  private read(stream: Stream, on: boolean): void {
    if (stream.isReading === on) return;
    stream.isReading = on;
    this.options.emit({ kind: 'read', stream: stream.number, on });
  }

  private drop(stream: Stream): void {
    stream.isHostDone = true;
    stream.connection.abort();
  }

  private forget(stream: Stream): void {
    this.streams.delete(stream.number);
    if (this.byEnds.get(keyOf(stream)) === stream) this.byEnds.delete(keyOf(stream));
  }

  /** RFC 9293, 3.10.7.1: a segment for a connection that is not there. */
  private refuse(packet: Packet, segment: Segment): void {
    if ((segment.flags & FLAG.rst) !== 0) return;
    const hasAck = (segment.flags & FLAG.ack) !== 0;
    const bytes =
      segment.payload.length +
      ((segment.flags & FLAG.syn) === 0 ? 0 : 1) +
      ((segment.flags & FLAG.fin) === 0 ? 0 : 1);
    const reset: Segment = {
      sourcePort: segment.targetPort,
      targetPort: segment.sourcePort,
      seq: hasAck ? segment.ack : 0,
      ack: hasAck ? 0 : (segment.seq + bytes) % 2 ** 32,
      flags: hasAck ? FLAG.rst : FLAG.rst | FLAG.ack,
      window: 0,
      maxSegment: null,
      windowShift: null,
      payload: new Uint8Array(0),
    };
    const { neighbors } = this.options;
    neighbors.send(packet.source, buildSegment(packet.target, packet.source, reset));
  }

  /** A port that no connection to the same place has; there are more than streams. */
  private freePort(guest: number, guestPort: number): number {
    for (let tried = 0; tried < PORTS; tried++) {
      const port = FIRST_PORT + this.nextPort;
      this.nextPort = (this.nextPort + 1) % PORTS;
      if (!this.byEnds.has(endsKey(guest, guestPort, GATEWAY_IP, port))) return port;
    }
    return present<number>(null, 'a free port');
  }

  /** Far enough from the last one that no old segment fits. */
  private takeSeq(): number {
    const seq = this.nextSeq;
    this.nextSeq = (this.nextSeq + 0x0100_0193 + (this.options.seed & 0xffff)) % 2 ** 32;
    return seq;
  }
}

function keyOf({ guest, guestPort, local, localPort }: Stream): string {
  return endsKey(guest, guestPort, local, localPort);
}

function endsKey(guest: number, guestPort: number, local: number, localPort: number): string {
  return `${guest}:${guestPort}:${local}:${localPort}`;
}
