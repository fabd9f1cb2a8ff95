/**
 * UDP (RFC 768) and the ICMP messages (RFC 792) that a gateway sends: echo replies, and word that
 * nobody answers at a port.
 */

import { buildPacket, checksumOf, PROTOCOL, pseudoHeaderSum, sumOf, type Packet } from './ipv4.js';
import { viewOf } from './ethernet.js';

const UDP_HEADER_BYTES = 8;
const ICMP_HEADER_BYTES = 8;
const ECHO_REPLY = 0;
const UNREACHABLE = 3;
const PORT_UNREACHABLE = 3;
const ECHO_REQUEST = 8;
/** Of the packet that went nowhere, an ICMP message quotes so much (RFC 1122, 3.2.2). */
const QUOTED_BYTES = 28;

/** What fits one frame beside the headers of IP and UDP. */
export const MAX_DATAGRAM_BYTES = 1472;

export interface Datagram {
  readonly sourcePort: number;
  readonly targetPort: number;
  readonly payload: Uint8Array;
}

/** Null for what is damaged or cut short. A checksum of 0 is none. */
export function parseDatagram(packet: Packet): Datagram | null {
  const { payload } = packet;
  if (payload.length < UDP_HEADER_BYTES) return null;
  const view = viewOf(payload);
  const bytes = view.getUint16(4);
  if (bytes < UDP_HEADER_BYTES || bytes > payload.length) return null;
  const whole = payload.subarray(0, bytes);
  if (view.getUint16(6) !== 0) {
    const sum = pseudoHeaderSum({ ...packet, payload: whole }) + sumOf(whole);
    if (checksumOf(sum) !== 0) return null;
  }
  return {
    sourcePort: view.getUint16(0),
    targetPort: view.getUint16(2),
    payload: whole.subarray(UDP_HEADER_BYTES),
  };
}

/** The IP packet that carries `datagram`. */
export function buildDatagram(source: number, target: number, datagram: Datagram): Uint8Array {
  const payload = new Uint8Array(UDP_HEADER_BYTES + datagram.payload.length);
  const view = viewOf(payload);
  view.setUint16(0, datagram.sourcePort);
  view.setUint16(2, datagram.targetPort);
  view.setUint16(4, payload.length);
  payload.set(datagram.payload, UDP_HEADER_BYTES);
  const packet = { source, target, protocol: PROTOCOL.udp, payload };
  const checksum = checksumOf(pseudoHeaderSum(packet) + sumOf(payload));
  view.setUint16(6, checksum === 0 ? 0xffff : checksum);
  return buildPacket(packet);
}

/** The answer to an echo request; null for any other message. */
export function answerEcho(packet: Packet): Uint8Array | null {
  const { payload } = packet;
  if (payload.length < ICMP_HEADER_BYTES || checksumOf(sumOf(payload)) !== 0) return null;
  if (payload[0] !== ECHO_REQUEST || payload[1] !== 0) return null;
  const answer = new Uint8Array(payload);
  answer[0] = ECHO_REPLY;
  return icmpPacket(packet.target, packet.source, answer);
}

/** Says that nobody takes datagrams at the port that `packet` was for. */
export function buildUnreachable(packet: Packet): Uint8Array {
  const quoted = buildPacket(packet).subarray(0, QUOTED_BYTES);
  const message = new Uint8Array(ICMP_HEADER_BYTES + quoted.length);
  message[0] = UNREACHABLE;
  message[1] = PORT_UNREACHABLE;
  message.set(quoted, ICMP_HEADER_BYTES);
  return icmpPacket(packet.target, packet.source, message);
}

function icmpPacket(source: number, target: number, message: Uint8Array): Uint8Array {
  const view = viewOf(message);
  view.setUint16(2, 0);
  view.setUint16(2, checksumOf(sumOf(message)));
  return buildPacket({ source, target, protocol: PROTOCOL.icmp, payload: message });
}
