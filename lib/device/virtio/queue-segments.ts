/**
 * Bytes of a chain's segments as if they lay one after another: a request may be cut into buffers
 * wherever its driver likes (virtio 1.2, section 2.7.4).
 */

import type { DmaPort } from '../port.js';
import type { Segment } from './queue.js';

/** A copy of `count` bytes from byte `skip` on, or of as many as there are. */
export function readSegments(
  dma: DmaPort,
  segments: readonly Segment[],
  skip: number,
  count: number,
): Uint8Array {
  const bytes = new Uint8Array(count);
  let filled = 0;
  for (const { address, length } of cut(segments, skip, count)) {
    bytes.set(dma.read(address, length), filled);
    filled += length;
  }
  return filled === count ? bytes : bytes.subarray(0, filled);
}

/** Puts `bytes` from byte `skip` on; what does not fit is dropped. */
export function writeSegments(
  dma: DmaPort,
  segments: readonly Segment[],
  skip: number,
  bytes: Uint8Array,
): void {
  let taken = 0;
  for (const { address, length } of cut(segments, skip, bytes.length)) {
    dma.write(address, bytes.subarray(taken, taken + length));
    taken += length;
  }
}

function* cut(
  segments: readonly Segment[],
  skip: number,
  count: number,
): Generator<{ readonly address: bigint; readonly length: number }> {
  let before = skip;
  let left = count;
  for (const { address, bytes } of segments) {
    if (left === 0) return;
    const from = Math.min(before, bytes);
    before -= from;
    const length = Math.min(bytes - from, left);
    if (length === 0) continue;
    left -= length;
    yield { address: address + BigInt(from), length };
  }
}
