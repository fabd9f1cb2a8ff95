/**
 * The virtio entropy device (virtio 1.2, section 5.4): one queue of buffers to be filled.
 *
 * The device has no source of its own. A kick only notes how many bytes the guest waits for;
 * whoever records asks `wanted()`, draws the bytes, logs them, and replica and primary alike hand
 * them to `supply()`, which writes data, used ring and interrupt in one go.
 */

import type { WordBlock, WordBlockSpec } from '../../memory/word-block.js';
import { VirtioDevice, virtioFields, type VirtioPorts } from './mmio.js';
import type { Chain } from './queue.js';

/** Bytes asked for at once, at most. */
export const ENTROPY_BYTES_MAX = 4096;

const DEVICE_ID = 4;
const REQUEST = 0;
const QUEUES = ['request'] as const;

export const VIRTIO_ENTROPY_SPEC: WordBlockSpec = {
  name: 'virtio-entropy',
  fields: [...virtioFields(QUEUES), 'wanted'],
};

export class VirtioEntropy extends VirtioDevice {
  /** `block` has `VIRTIO_ENTROPY_SPEC`. */
  constructor(block: WordBlock, options: VirtioPorts) {
    super(block, options, {
      name: 'virtio-entropy',
      deviceId: DEVICE_ID,
      features: 0n,
      queues: QUEUES,
    });
  }

  /** Random bytes that the guest's next buffer waits for, 0 to `ENTROPY_BYTES_MAX`. */
  wanted(): number {
    return Math.min(this.get('wanted'), ENTROPY_BYTES_MAX);
  }

  /** Fills posted buffers with `bytes`; bytes beyond the buffers are dropped. */
  supply(bytes: Uint8Array): void {
    const features = this.features();
    let wantsInterrupt = false;
    let rest = bytes;
    while (rest.length > 0) {
      const chain = this.next();
      if (chain === null) break;
      const count = Math.min(rest.length, chain.writableBytes);
      this.fill(chain, rest.subarray(0, count));
      rest = rest.subarray(count);
      wantsInterrupt = this.queue(REQUEST).finish(chain, count, features) || wantsInterrupt;
    }
    this.note();
    if (wantsInterrupt) this.raiseUsed();
  }

  private fill(chain: Chain, bytes: Uint8Array): void {
    let rest = bytes;
    for (const segment of chain.writable) {
      const part = rest.subarray(0, segment.bytes);
      if (part.length > 0) this.dma.write(segment.address, part);
      rest = rest.subarray(part.length);
    }
  }

  /** The guest's next request, or null; a request that is not for writing is a broken rule. */
  private next(): Chain | null {
    if (!this.isLive()) return null;
    const next = this.queue(REQUEST).peek(this.features());
    if (next.kind === 'empty') return null;
    if (next.kind === 'chain' && next.readable.length === 0 && next.writableBytes > 0) return next;
    this.fail();
    return null;
  }

  private note(): void {
    const chain = this.next();
    this.put('wanted', chain === null ? 0 : Math.min(chain.writableBytes, ENTROPY_BYTES_MAX));
  }

  protected override onKick(_index: number): void {
    this.note();
  }

  protected override onQueueStopped(_index: number): void {
    this.put('wanted', 0);
  }
}
