/**
 * TCP segments (RFC 9293, section 3.1) with the two options that matter here: the largest segment
 * and the window scale (RFC 7323), both in SYN segments only.
 */

import { buildPacket, checksumOf, PROTOCOL, pseudoHeaderSum, sumOf, type Packet } from './ipv4.js';
import { viewOf } from './ethernet.js';

export const FLAG = { fin: 1, syn: 2, rst: 4, psh: 8, ack: 16 } as const;

const HEADER_BYTES = 20;
const OPTION = { end: 0, nothing: 1, maxSegment: 2, windowScale: 3 } as const;
/** RFC 7323, 2.3: a larger shift is taken as this one. */
const MAX_WINDOW_SHIFT = 14;

export interface Segment {
  readonly sourcePort: number;
  readonly targetPort: number;
  /** Sequence numbers are below 2^32. */
  readonly seq: number;
  readonly ack: number;
  /** Bits of `FLAG`. */
  readonly flags: number;
  /** As in the header, before scaling. */
  readonly window: number;
  readonly maxSegment: number | null;
  readonly windowShift: number | null;
  readonly payload: Uint8Array;
}

/** Null for what is damaged or cut short. */
export function parseSegment(packet: Packet): Segment | null {
  const bytes = packet.payload;
  if (bytes.length < HEADER_BYTES) return null;
  const view = viewOf(bytes);
  const headerBytes = (view.getUint8(12) >> 4) * 4;
  if (headerBytes < HEADER_BYTES || headerBytes > bytes.length) return null;
  if (checksumOf(pseudoHeaderSum(packet) + sumOf(bytes)) !== 0) return null;
  return {
    sourcePort: view.getUint16(0),
    targetPort: view.getUint16(2),
    seq: view.getUint32(4),
    ack: view.getUint32(8),
    flags: view.getUint8(13),
    window: view.getUint16(14),
    ...readOptions(bytes.subarray(HEADER_BYTES, headerBytes)),
    payload: bytes.subarray(headerBytes),
  };
}

function readOptions(bytes: Uint8Array): Pick<Segment, 'maxSegment' | 'windowShift'> {
  const view = viewOf(bytes);
  let maxSegment: number | null = null;
  let windowShift: number | null = null;
  for (let at = 0; at < bytes.length;) {
    const kind = view.getUint8(at);
    if (kind === OPTION.end) break;
    if (kind === OPTION.nothing) {
      at += 1;
      continue;
    }
    const length = bytes[at + 1] ?? 0;
    if (length < 2 || at + length > bytes.length) break;
    if (kind === OPTION.maxSegment && length === 4) maxSegment = view.getUint16(at + 2);
    if (kind === OPTION.windowScale && length === 3) {
      windowShift = Math.min(view.getUint8(at + 2), MAX_WINDOW_SHIFT);
    }
    at += length;
  }
  return { maxSegment, windowShift };
}

/** The IP packet that carries `segment`. */
export function buildSegment(source: number, target: number, segment: Segment): Uint8Array {
  const { maxSegment, windowShift } = segment;
  const options = [
    ...(maxSegment === null ? [] : [OPTION.maxSegment, 4, maxSegment >> 8, maxSegment & 0xff]),
    ...(windowShift === null ? [] : [OPTION.nothing, OPTION.windowScale, 3, windowShift]),
  ];
  const headerBytes = HEADER_BYTES + options.length;
  const payload = new Uint8Array(headerBytes + segment.payload.length);
  const view = viewOf(payload);
  view.setUint16(0, segment.sourcePort);
  view.setUint16(2, segment.targetPort);
  view.setUint32(4, segment.seq);
  view.setUint32(8, segment.ack);
  view.setUint8(12, (headerBytes / 4) << 4);
  view.setUint8(13, segment.flags);
  view.setUint16(14, segment.window);
  payload.set(options, HEADER_BYTES);
  payload.set(segment.payload, headerBytes);
  const packet = { source, target, protocol: PROTOCOL.tcp, payload };
  view.setUint16(16, checksumOf(pseudoHeaderSum(packet) + sumOf(payload)));
  return buildPacket(packet);
}
