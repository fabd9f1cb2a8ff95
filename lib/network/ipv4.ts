/**
 * IPv4 packets (RFC 791) without options of our own and without fragments: a fragment from a guest
 * is not understood, and nothing sent here needs one.
 *
 * An address is a number below 2^32.
 */

import { viewOf } from './ethernet.js';

export const PROTOCOL = { icmp: 1, tcp: 6, udp: 17 } as const;

const HEADER_BYTES = 20;
const TIME_TO_LIVE = 64;
const DO_NOT_FRAGMENT = 0x4000;
/** More-fragments flag and fragment offset. */
const FRAGMENT_BITS = 0x3fff;

export interface Packet {
  readonly source: number;
  readonly target: number;
  readonly protocol: number;
  readonly payload: Uint8Array;
}

/** Null for what is damaged, cut short or a fragment. */
export function parsePacket(bytes: Uint8Array): Packet | null {
  if (bytes.length < HEADER_BYTES) return null;
  const view = viewOf(bytes);
  const first = view.getUint8(0);
  const headerBytes = (first & 0x0f) * 4;
  const totalBytes = view.getUint16(2);
  if (first >> 4 !== 4 || headerBytes < HEADER_BYTES || totalBytes < headerBytes) return null;
  if (totalBytes > bytes.length) return null;
  if (checksumOf(sumOf(bytes.subarray(0, headerBytes))) !== 0) return null;
  if ((view.getUint16(6) & FRAGMENT_BITS) !== 0) return null;
  return {
    source: view.getUint32(12),
    target: view.getUint32(16),
    protocol: view.getUint8(9),
    payload: bytes.subarray(headerBytes, totalBytes),
  };
}

export function buildPacket(packet: Packet): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES + packet.payload.length);
  const view = viewOf(bytes);
  view.setUint8(0, 0x45);
  view.setUint16(2, bytes.length);
  view.setUint16(6, DO_NOT_FRAGMENT);
  view.setUint8(8, TIME_TO_LIVE);
  view.setUint8(9, packet.protocol);
  view.setUint32(12, packet.source);
  view.setUint32(16, packet.target);
  view.setUint16(10, checksumOf(sumOf(bytes.subarray(0, HEADER_BYTES))));
  bytes.set(packet.payload, HEADER_BYTES);
  return bytes;
}

/** Sum of 16-bit words; a last odd byte counts as the high half of one. */
export function sumOf(bytes: Uint8Array): number {
  const view = viewOf(bytes);
  const even = bytes.length & ~1;
  let sum = 0;
  for (let at = 0; at < even; at += 2) sum += view.getUint16(at);
  return even < bytes.length ? sum + view.getUint8(even) * 256 : sum;
}

/** The checksum (RFC 1071) of words with this sum; 0 over words that include their checksum. */
export function checksumOf(sum: number): number {
  let folded = sum;
  while (folded > 0xffff) folded = (folded & 0xffff) + Math.floor(folded / 0x1_0000);
  return ~folded & 0xffff;
}

/** What TCP and UDP add to their checksum: addresses, protocol and length. */
export function pseudoHeaderSum(packet: Packet): number {
  const { source, target, protocol, payload } = packet;
  const halves = (address: number): number => (address >>> 16) + (address & 0xffff);
  return halves(source) + halves(target) + protocol + payload.length;
}

/** The address that "10.0.2.15" names; null for another form. */
export function parseIp(text: string): number | null {
  if (!/^\d{1,3}(\.\d{1,3}){3}$/.test(text)) return null;
  const parts = text.split('.').map(Number);
  if (parts.some((part) => part > 255)) return null;
  return parts.reduce((address, part) => address * 256 + part, 0);
}

export function formatIp(address: number): string {
  return [24, 16, 8, 0].map((shift) => (address >>> shift) & 0xff).join('.');
}
