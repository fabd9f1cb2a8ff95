/**
 * The virtio network card (virtio 1.2, section 5.1) with one pair of queues and no offloads: a
 * buffer holds a header of 12 bytes and one whole Ethernet frame.
 *
 * A frame that the guest sends leaves at the kick, as bytes of the output stream `network`: its
 * length in four bytes, most significant first, and the frame. That is the framing of QEMU's
 * stream sockets, so a position in the stream is a position on the wire, and a chunk of output
 * never ends within a frame.
 *
 * A frame for the guest enters in `receive`: data, used ring, interrupt status and line change
 * together. The card keeps none; whoever records lets frames wait outside the machine while
 * `room()` says that the guest has no buffer.
 *
 * Bounds: a kick takes at most one queue of requests, each at most a queue of descriptors long,
 * and copies no more than a frame of each.
 */

import { MAX_FRAME_BYTES, MIN_FRAME_BYTES } from '../../event/limits.js';
import type { WordBlock, WordBlockSpec } from '../../memory/word-block.js';
import type { OutputPort } from '../port.js';
import { VirtioDevice, virtioFields, type VirtioPorts } from './mmio.js';
import { QUEUE_SIZE_MAX, type Chain } from './queue.js';

const DEVICE_ID = 1;
const RECEIVE = 0;
const TRANSMIT = 1;
const QUEUES = ['receive', 'transmit'] as const;

const FEATURE_MTU = 1n << 3n;
const FEATURE_MAC = 1n << 5n;
const FEATURE_STATUS = 1n << 16n;

/** struct virtio_net_hdr; its last field, num_buffers, is there since version 1. */
const HEADER_BYTES = 12;
const HEADER_BUFFERS_AT = 10;
const LENGTH_BYTES = 4;

const MTU = 1500;
const STATUS_LINK_UP = 1;
const CONFIG_STATUS_AT = 6;
const CONFIG_MTU_AT = 10;
const MAC_BYTES = 6;

export const VIRTIO_NET_SPEC: WordBlockSpec = {
  name: 'virtio-net',
  fields: virtioFields(QUEUES),
};

export interface VirtioNetOptions extends VirtioPorts {
  readonly output: OutputPort;
  /** Six bytes in hexadecimal with colons. */
  readonly mac: string;
}

export class VirtioNet extends VirtioDevice {
  private readonly output: OutputPort;
  private readonly config: Uint8Array;

  /** `block` has `VIRTIO_NET_SPEC`. */
  constructor(block: WordBlock, options: VirtioNetOptions) {
    super(block, options, {
      name: 'virtio-net',
      deviceId: DEVICE_ID,
      features: FEATURE_MTU | FEATURE_MAC | FEATURE_STATUS,
      queues: QUEUES,
    });
    this.output = options.output;
    this.config = configSpace(options.mac);
  }

  /** What becomes of a frame that comes now. */
  room(): 'room' | 'full' | 'off' {
    if (!this.isLive() || !this.queue(RECEIVE).ready) return 'off';
    const next = this.queue(RECEIVE).peek(this.features());
    return next.kind === 'empty' ? 'full' : 'room';
  }

  /** Gives the guest a frame; without a buffer that holds it the frame is lost. */
  receive(frame: Uint8Array): void {
    if (!this.isLive()) return;
    const queue = this.queue(RECEIVE);
    const features = this.features();
    const next = queue.peek(features);
    if (next.kind === 'empty') return;
    if (next.kind === 'broken' || next.readable.length > 0) {
      this.fail();
      return;
    }
    const bytes = HEADER_BYTES + frame.length;
    if (next.writableBytes < bytes) return;
    const filled = new Uint8Array(bytes);
    filled[HEADER_BUFFERS_AT] = 1;
    filled.set(frame, HEADER_BYTES);
    this.fill(next, filled);
    if (queue.finish(next, bytes, features)) this.raiseUsed();
  }

  private fill(chain: Chain, bytes: Uint8Array): void {
    let rest = bytes;
    for (const segment of chain.writable) {
      const part = rest.subarray(0, segment.bytes);
      if (part.length > 0) this.dma.write(segment.address, part);
      rest = rest.subarray(part.length);
    }
  }

  private transmit(): void {
    const queue = this.queue(TRANSMIT);
    const features = this.features();
    let wantsInterrupt = false;
    for (let count = 0; count < QUEUE_SIZE_MAX; count++) {
      const next = queue.peek(features);
      if (next.kind === 'empty') break;
      if (next.kind === 'broken' || next.writable.length > 0) {
        this.fail();
        break;
      }
      this.send(next);
      wantsInterrupt = queue.finish(next, 0, features) || wantsInterrupt;
    }
    if (wantsInterrupt) this.raiseUsed();
  }

  /** What is too short or too long for a frame goes nowhere, as on a wire. */
  private send(chain: Chain): void {
    const frameBytes = chain.readableBytes - HEADER_BYTES;
    if (frameBytes < MIN_FRAME_BYTES || frameBytes > MAX_FRAME_BYTES) return;
    const bytes = new Uint8Array(LENGTH_BYTES + frameBytes);
    new DataView(bytes.buffer).setUint32(0, frameBytes);
    let skip = HEADER_BYTES;
    let at = LENGTH_BYTES;
    for (const segment of chain.readable) {
      const from = Math.min(skip, segment.bytes);
      skip -= from;
      const count = segment.bytes - from;
      if (count === 0) continue;
      bytes.set(this.dma.read(segment.address + BigInt(from), count), at);
      at += count;
    }
    this.output.emit('network', bytes);
  }

  protected override configByte(offset: number): number {
    return this.config[offset] ?? 0;
  }

  protected override onKick(index: number): void {
    // Buffers for frames need no work: a frame takes one when it comes.
    if (index === TRANSMIT) this.transmit();
  }

  protected override onQueueStopped(_index: number): void {
    // No request is ever in work between two kicks.
  }
}

/** struct virtio_net_config (section 5.1.4): address, link status, no queue pairs, MTU. */
function configSpace(mac: string): Uint8Array {
  const bytes = new Uint8Array(CONFIG_MTU_AT + 2);
  const view = new DataView(bytes.buffer);
  const address = mac.split(':').map((part) => parseInt(part, 16));
  bytes.set(address.slice(0, MAC_BYTES));
  view.setUint16(CONFIG_STATUS_AT, STATUS_LINK_UP, true);
  view.setUint16(CONFIG_MTU_AT, MTU, true);
  return bytes;
}
