/**
 * Ethernet frames without a frame check sequence: two addresses, a type, a payload.
 *
 * An address is a number below 2^48, so that it can be the key of a map.
 */

import { MIN_FRAME_BYTES } from '../event/limits.js';

export const ETHERTYPE = { ipv4: 0x0800, arp: 0x0806, rarp: 0x8035 } as const;
export const BROADCAST = 0xffff_ffff_ffff;

export interface Frame {
  readonly target: number;
  readonly source: number;
  readonly type: number;
  readonly payload: Uint8Array;
}

/** Null for what is too short to be one. */
export function parseFrame(bytes: Uint8Array): Frame | null {
  if (bytes.length < MIN_FRAME_BYTES) return null;
  const view = viewOf(bytes);
  return {
    target: readMac(view, 0),
    source: readMac(view, 6),
    type: view.getUint16(12),
    payload: bytes.subarray(MIN_FRAME_BYTES),
  };
}

export function buildFrame(frame: Frame): Uint8Array {
  const bytes = new Uint8Array(MIN_FRAME_BYTES + frame.payload.length);
  const view = viewOf(bytes);
  writeMac(view, 0, frame.target);
  writeMac(view, 6, frame.source);
  view.setUint16(12, frame.type);
  bytes.set(frame.payload, MIN_FRAME_BYTES);
  return bytes;
}

/** The lowest bit of the first byte: broadcast and multicast have it. */
export function isGroup(mac: number): boolean {
  return Math.floor(mac / 2 ** 40) % 2 === 1;
}

export function readMac(view: DataView, at: number): number {
  return view.getUint16(at) * 2 ** 32 + view.getUint32(at + 2);
}

export function writeMac(view: DataView, at: number, mac: number): void {
  view.setUint16(at, Math.floor(mac / 2 ** 32));
  view.setUint32(at + 2, mac % 2 ** 32);
}

/** The address that "52:54:00:12:34:56" names; NaN for another form. */
export function parseMac(text: string): number {
  return /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i.test(text)
    ? parseInt(text.replaceAll(':', ''), 16)
    : NaN;
}

export function formatMac(mac: number): string {
  const digits = mac.toString(16).padStart(12, '0');
  return (digits.match(/../g) ?? []).join(':');
}

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
