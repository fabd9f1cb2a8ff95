/**
 * How a node plugs its machine into a switch: one message each way in front of the frames.
 *
 *   node -> switch   Plug: which machine, in which epoch, and which part of its output is at hand
 *   switch -> node   Verdict: the offset from which to send, or why not
 *   both ways        frames, each after its length (frame-stream.ts)
 *
 * What the node sends after the verdict is the machine's output stream `network` from that offset
 * on, byte for byte. So the switch knows by counting how much of the stream it has, and a machine
 * that goes on elsewhere sends exactly what is missing: nothing is lost and nothing comes twice.
 *
 * A message begins with four bytes that no length of a frame has, which is how a peer that sends
 * frames alone is told from a node.
 *
 *   Plug     'LSNP' size:u16 version:u8 epoch:u64 start:u64 end:u64 mac:u48 machine:s incarnation:s
 *   Verdict  'LSNV' size:u16 version:u8 verdict:u8 epoch:u64 offset:u64
 *
 * Numbers are big-endian as the lengths of frames are; `s` is a length in one byte and ASCII.
 */

import { assert } from '../base/assert.js';
import { DecodeError } from '../base/bytes.js';
import { readMac, viewOf, writeMac } from './ethernet.js';

const PLUG_MAGIC = 0x4c53_4e50;
const VERDICT_MAGIC = 0x4c53_4e56;
const VERSION = 1;
const HEAD_BYTES = 6;
const PLUG_FIXED_BYTES = 1 + 3 * 8 + 6;
const MAX_TEXT_BYTES = 255;
const VERDICT_BYTES = HEAD_BYTES + 2 + 2 * 8;

export interface Plug {
  readonly machineId: string;
  /** Tells one process from another. */
  readonly incarnation: string;
  /** Won from the arbiter; 0 for a machine that runs without one, which is never fenced. */
  readonly epoch: bigint;
  readonly mac: number;
  /** Output from `start` to `end` is at hand; both lie between two frames. */
  readonly start: bigint;
  readonly end: bigint;
}

export const VERDICTS = [
  'accepted',
  /** A newer epoch of this machine is known. */
  'fenced',
  /** Another life of a machine of this name is known, or another process has its epoch. */
  'conflict',
  'wrong-version',
] as const;

export interface Verdict {
  readonly verdict: (typeof VERDICTS)[number];
  /** The newest epoch known of the machine. */
  readonly epoch: bigint;
  readonly offset: bigint;
}

export function encodePlug(plug: Plug): Uint8Array {
  const texts = [plug.machineId, plug.incarnation].map(asciiOf);
  const size = PLUG_FIXED_BYTES + texts.reduce((sum, text) => sum + 1 + text.length, 0);
  const bytes = new Uint8Array(HEAD_BYTES + size);
  const view = viewOf(bytes);
  view.setUint32(0, PLUG_MAGIC);
  view.setUint16(4, size);
  view.setUint8(6, VERSION);
  view.setBigUint64(7, plug.epoch);
  view.setBigUint64(15, plug.start);
  view.setBigUint64(23, plug.end);
  writeMac(view, 31, plug.mac);
  let at = HEAD_BYTES + PLUG_FIXED_BYTES;
  for (const text of texts) {
    bytes[at] = text.length;
    bytes.set(text, at + 1);
    at += 1 + text.length;
  }
  return bytes;
}

/** What a stream begins with. */
export type Opening =
  /** Not enough bytes to tell. */
  | { readonly kind: 'incomplete' }
  /** Frames from the first byte on. */
  | { readonly kind: 'frames' }
  | { readonly kind: 'plug'; readonly plug: Plug; readonly bytes: number }
  | { readonly kind: 'wrong-version' };

/** Throws `DecodeError` on a message that is damaged. */
export function readOpening(bytes: Uint8Array): Opening {
  if (bytes.length < 4) return { kind: 'incomplete' };
  const view = viewOf(bytes);
  if (view.getUint32(0) !== PLUG_MAGIC) return { kind: 'frames' };
  if (bytes.length < HEAD_BYTES + 1) return { kind: 'incomplete' };
  if (view.getUint8(6) !== VERSION) return { kind: 'wrong-version' };
  const size = view.getUint16(4);
  if (bytes.length < HEAD_BYTES + size) return { kind: 'incomplete' };
  if (size < PLUG_FIXED_BYTES) throw new DecodeError(`a plug of ${size} bytes`);
  const texts: string[] = [];
  let at = HEAD_BYTES + PLUG_FIXED_BYTES;
  const end = HEAD_BYTES + size;
  for (let count = 0; count < 2; count++) {
    const length = at < end ? view.getUint8(at) : MAX_TEXT_BYTES + 1;
    if (at + 1 + length > end) throw new DecodeError('a name runs beyond its message');
    texts.push(String.fromCharCode(...bytes.subarray(at + 1, at + 1 + length)));
    at += 1 + length;
  }
  const [machineId = '', incarnation = ''] = texts;
  const plug = {
    machineId,
    incarnation,
    epoch: view.getBigUint64(7),
    start: view.getBigUint64(15),
    end: view.getBigUint64(23),
    mac: readMac(view, 31),
  };
  if (plug.start > plug.end) throw new DecodeError(`output from ${plug.start} to ${plug.end}`);
  return { kind: 'plug', plug, bytes: end };
}

export function encodeVerdict({ verdict, epoch, offset }: Verdict): Uint8Array {
  const bytes = new Uint8Array(VERDICT_BYTES);
  const view = viewOf(bytes);
  view.setUint32(0, VERDICT_MAGIC);
  view.setUint16(4, VERDICT_BYTES - HEAD_BYTES);
  view.setUint8(6, VERSION);
  view.setUint8(7, VERDICTS.indexOf(verdict));
  view.setBigUint64(8, epoch);
  view.setBigUint64(16, offset);
  return bytes;
}

/** The verdict at the start of `bytes`, null if it is not complete. Throws `DecodeError`. */
export function readVerdict(
  bytes: Uint8Array,
): { readonly verdict: Verdict; readonly bytes: number } | null {
  if (bytes.length < VERDICT_BYTES) return null;
  const view = viewOf(bytes);
  if (view.getUint32(0) !== VERDICT_MAGIC) throw new DecodeError('no switch answers here');
  const verdict = VERDICTS[view.getUint8(7)];
  if (verdict === undefined) throw new DecodeError(`unknown verdict ${view.getUint8(7)}`);
  const epoch = view.getBigUint64(8);
  return { verdict: { verdict, epoch, offset: view.getBigUint64(16) }, bytes: VERDICT_BYTES };
}

function asciiOf(text: string): Uint8Array {
  assert(text.length <= MAX_TEXT_BYTES, `a name of ${text.length} characters`);
  return Uint8Array.from(text, (character) => character.charCodeAt(0) & 0x7f);
}
