/**
 * Frames on a byte stream, each after its length in four bytes, most significant first: the framing
 * of QEMU's stream sockets (`-netdev stream`), passt and others.
 */

import { DecodeError } from '../base/bytes.js';
import { viewOf } from './ethernet.js';

export const LENGTH_BYTES = 4;
/** QEMU's own limit; what is longer than a frame of the card is dropped by whoever takes it. */
export const MAX_STREAM_FRAME_BYTES = 69_632;

/** Cuts a byte stream into frames, however the bytes come. */
export class FrameSplitter {
  private rest: Uint8Array = new Uint8Array(0);

  /** The frames that are complete now. Throws `DecodeError` on a length beyond the limit. */
  take(bytes: Uint8Array): Uint8Array[] {
    const all = this.rest.length === 0 ? bytes : joined(this.rest, bytes);
    const view = viewOf(all);
    const frames: Uint8Array[] = [];
    let at = 0;
    while (all.length - at >= LENGTH_BYTES) {
      const length = view.getUint32(at);
      if (length > MAX_STREAM_FRAME_BYTES) {
        throw new DecodeError(`a frame of ${length} bytes, at most ${MAX_STREAM_FRAME_BYTES}`);
      }
      if (all.length - at - LENGTH_BYTES < length) break;
      frames.push(all.subarray(at + LENGTH_BYTES, at + LENGTH_BYTES + length));
      at += LENGTH_BYTES + length;
    }
    this.rest = at === all.length ? new Uint8Array(0) : all.slice(at);
    return frames;
  }
}

/** The frame behind its length. */
export function withLength(frame: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(LENGTH_BYTES + frame.length);
  viewOf(bytes).setUint32(0, frame.length);
  bytes.set(frame, LENGTH_BYTES);
  return bytes;
}

function joined(one: Uint8Array, other: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(one.length + other.length);
  bytes.set(one);
  bytes.set(other, one.length);
  return bytes;
}
