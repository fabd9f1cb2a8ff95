/**
 * ARP (RFC 826) and reverse ARP (RFC 903) for IPv4 over Ethernet.
 */

import { buildFrame, BROADCAST, ETHERTYPE, readMac, viewOf, writeMac } from './ethernet.js';

const BYTES = 28;
const ETHERNET = 1;
export const ARP = { request: 1, reply: 2, reverseRequest: 3 } as const;

export interface ArpMessage {
  readonly operation: number;
  readonly senderMac: number;
  readonly senderIp: number;
  readonly targetMac: number;
  readonly targetIp: number;
}

/** Null for another hardware or protocol, or what is cut short. */
export function parseArp(bytes: Uint8Array): ArpMessage | null {
  if (bytes.length < BYTES) return null;
  const view = viewOf(bytes);
  const isKnown =
    view.getUint16(0) === ETHERNET &&
    view.getUint16(2) === ETHERTYPE.ipv4 &&
    view.getUint16(4) === 0x0604;
  if (!isKnown) return null;
  return {
    operation: view.getUint16(6),
    senderMac: readMac(view, 8),
    senderIp: view.getUint32(14),
    targetMac: readMac(view, 18),
    targetIp: view.getUint32(24),
  };
}

export function buildArp(message: ArpMessage): Uint8Array {
  const bytes = new Uint8Array(BYTES);
  const view = viewOf(bytes);
  view.setUint16(0, ETHERNET);
  view.setUint16(2, ETHERTYPE.ipv4);
  view.setUint16(4, 0x0604);
  view.setUint16(6, message.operation);
  writeMac(view, 8, message.senderMac);
  view.setUint32(14, message.senderIp);
  writeMac(view, 18, message.targetMac);
  view.setUint32(24, message.targetIp);
  return bytes;
}

/**
 * The frame by which a machine that has moved tells every switch where its address lives now: a
 * reverse ARP request, as QEMU sends after a migration. It needs no IP address, which only the
 * guest knows, and nobody answers it.
 */
export function buildAnnouncement(mac: number): Uint8Array {
  const message = { senderMac: mac, senderIp: 0, targetMac: mac, targetIp: 0 };
  return buildFrame({
    target: BROADCAST,
    source: mac,
    type: ETHERTYPE.rarp,
    payload: buildArp({ operation: ARP.reverseRequest, ...message }),
  });
}
