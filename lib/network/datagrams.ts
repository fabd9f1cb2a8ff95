/**
 * The gateway's side of UDP: DHCP and names for the machines, and a socket of the host for each
 * port from which a guest sends.
 *
 * Nothing here is kept for a guest beyond its flow; a datagram that can't go on is lost, as UDP
 * allows. What a guest splits into fragments is lost too.
 */

import { DHCP_CLIENT_PORT, DHCP_SERVER_PORT, DhcpServer } from './dhcp.js';
import { BROADCAST } from './ethernet.js';
import {
  GATEWAY_IP,
  guestView,
  hostAddress,
  NAME_SERVER_IP,
  type GatewayOutput,
  type Reach,
} from './gateway-contract.js';
import type { Packet } from './ipv4.js';
import type { Neighbors } from './neighbors.js';
import {
  buildDatagram,
  buildUnreachable,
  MAX_DATAGRAM_BYTES,
  parseDatagram,
  type Datagram,
} from './udp.js';

const NAME_PORT = 53;
const IDLE_MS = 60_000;
const MAX_FLOWS = 256;
const MAX_QUERIES = 64;
const BROADCAST_IP = 0xffff_ffff;

interface Flow {
  readonly guest: number;
  readonly port: number;
  usedAtMs: number;
}

interface Query {
  readonly guest: number;
  readonly port: number;
  readonly askedAtMs: number;
}

export interface DatagramsOptions {
  readonly reach: Reach;
  readonly neighbors: Neighbors;
  readonly emit: (output: GatewayOutput) => void;
}

export class Datagrams {
  private readonly options: DatagramsOptions;
  private readonly dhcp = new DhcpServer();
  private readonly flows = new Map<number, Flow>();
  private readonly queries = new Map<number, Query>();
  private nextNumber = 1;

  constructor(options: DatagramsOptions) {
    this.options = options;
  }

  /** The time at which the oldest flow is closed, null without any. */
  deadlineMs(): number | null {
    let earliest: number | null = null;
    for (const { usedAtMs } of this.flows.values()) {
      if (earliest === null || usedAtMs + IDLE_MS < earliest) earliest = usedAtMs + IDLE_MS;
    }
    return earliest;
  }

  tick(nowMs: number): void {
    for (const [flow, { usedAtMs }] of this.flows) {
      if (nowMs - usedAtMs >= IDLE_MS) this.close(flow);
    }
  }

  receive(packet: Packet, nowMs: number): void {
    const datagram = parseDatagram(packet);
    if (datagram === null) return;
    if (datagram.targetPort === DHCP_SERVER_PORT) return this.lease(datagram);
    if (packet.target === NAME_SERVER_IP) return this.ask(packet, datagram, nowMs);
    const address = hostAddress(packet.target, this.options.reach);
    if (address === null) return this.refuse(packet);
    const flow = this.flowOf(packet.source, datagram.sourcePort, nowMs);
    const { targetPort: port, payload: bytes } = datagram;
    this.options.emit({ kind: 'send', flow, address, port, bytes });
  }

  /** A datagram for the guest behind `flow`. */
  deliver(flow: number, from: { address: number; port: number }, bytes: Uint8Array): void {
    const known = this.flows.get(flow);
    if (known === undefined) return;
    this.sendTo(known, { source: guestView(from.address), port: from.port }, bytes);
  }

  resolved(query: number, bytes: Uint8Array | null): void {
    const asked = this.queries.get(query);
    this.queries.delete(query);
    if (asked === undefined || bytes === null) return;
    this.sendTo(asked, { source: NAME_SERVER_IP, port: NAME_PORT }, bytes);
  }

  private sendTo(
    guest: { readonly guest: number; readonly port: number },
    from: { readonly source: number; readonly port: number },
    payload: Uint8Array,
  ): void {
    if (payload.length > MAX_DATAGRAM_BYTES) return;
    const datagram = { sourcePort: from.port, targetPort: guest.port, payload };
    this.options.neighbors.send(guest.guest, buildDatagram(from.source, guest.guest, datagram));
  }

  private lease({ payload }: Datagram): void {
    const answer = this.dhcp.answer(payload);
    if (answer === null) return;
    // A client without an address hears broadcasts only.
    const ports = { sourcePort: DHCP_SERVER_PORT, targetPort: DHCP_CLIENT_PORT };
    const packet = buildDatagram(GATEWAY_IP, BROADCAST_IP, { ...ports, payload: answer });
    this.options.neighbors.sendTo(BROADCAST, packet);
  }

  private ask(packet: Packet, { sourcePort, targetPort, payload }: Datagram, nowMs: number): void {
    if (targetPort !== NAME_PORT || this.options.reach === 'none') return this.refuse(packet);
    if (this.queries.size >= MAX_QUERIES) {
      const [oldest] = this.queries.keys();
      if (oldest !== undefined) this.queries.delete(oldest);
    }
    const query = this.nextNumber++;
    this.queries.set(query, { guest: packet.source, port: sourcePort, askedAtMs: nowMs });
    this.options.emit({ kind: 'resolve', query, bytes: payload });
  }

  /** Broadcasts are for nobody in particular, and are not refused. */
  private refuse(packet: Packet): void {
    const isGroup = packet.target >>> 24 >= 224 || (packet.target & 0xff) === 0xff;
    if (isGroup || packet.source === 0) return;
    this.options.neighbors.send(packet.source, buildUnreachable(packet));
  }

  private flowOf(guest: number, port: number, nowMs: number): number {
    for (const [flow, known] of this.flows) {
      if (known.guest !== guest || known.port !== port) continue;
      known.usedAtMs = nowMs;
      return flow;
    }
    if (this.flows.size >= MAX_FLOWS) this.closeIdlest();
    const flow = this.nextNumber++;
    this.flows.set(flow, { guest, port, usedAtMs: nowMs });
    return flow;
  }

  private closeIdlest(): void {
    const [idlest] = [...this.flows].sort(([, a], [, b]) => a.usedAtMs - b.usedAtMs);
    if (idlest !== undefined) this.close(idlest[0]);
  }

  private close(flow: number): void {
    this.flows.delete(flow);
    this.options.emit({ kind: 'close-flow', flow });
  }
}
