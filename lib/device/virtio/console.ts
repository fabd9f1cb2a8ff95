/**
 * The virtio console (virtio 1.2, section 5.3) with one port and no multiport feature: Linux's
 * hvc0. Queue 0 receives, queue 1 transmits.
 *
 * Output leaves at the kick, synchronously, at most `OUTPUT_BYTES_A_KICK` at a time; what is left
 * is work, which the machine continues with `resume()` at steps of its choosing. A chain's
 * descriptors may name the same memory again and again, so a request may be many gigabytes long:
 * `transmitted` says how far into the first chain the output has come, and a resume walks that
 * chain anew with all checks.
 *
 * Input goes to guest memory inside `receive`, or at the kick that posts a buffer for it: data,
 * used ring, interrupt status and line change together. Without a buffer it waits in the ring of
 * the block, which survives a reset of the device, as bytes on the wire would.
 */

import type { WordBlock, WordBlockSpec } from '../../memory/word-block.js';
import type { ConsoleInput, OutputPort } from '../port.js';
import { VirtioDevice, virtioFields, type VirtioPorts } from './mmio.js';
import type { Chain, Segment } from './queue.js';

/** Bytes that may wait for a buffer. */
export const CONSOLE_INPUT_BYTES = 4096;
/** Work in one kick or resume: bytes sent, plus 16 for each descriptor walked. */
export const OUTPUT_BYTES_A_KICK = 65_536;

const DEVICE_ID = 3;
const RECEIVE = 0;
const TRANSMIT = 1;
const QUEUES = ['receive', 'transmit'] as const;
const DESCRIPTOR_COST_BYTES = 16;

export const VIRTIO_CONSOLE_SPEC: WordBlockSpec = {
  name: 'virtio-console',
  fields: [
    ...virtioFields(QUEUES),
    'transmitWork',
    'transmitted',
    'inputHead',
    'inputCount',
    ['input', CONSOLE_INPUT_BYTES / 8],
  ],
};

export interface VirtioConsoleOptions extends VirtioPorts {
  readonly output: OutputPort;
}

export class VirtioConsole extends VirtioDevice implements ConsoleInput {
  readonly stream = 'virtio-console';
  private readonly output: OutputPort;
  private readonly input: number;

  /** `block` has `VIRTIO_CONSOLE_SPEC`. */
  constructor(block: WordBlock, options: VirtioConsoleOptions) {
    super(block, options, {
      name: 'virtio-console',
      deviceId: DEVICE_ID,
      features: 0n,
      queues: QUEUES,
    });
    this.output = options.output;
    this.input = block.index('input') * 8;
  }

  /** True while a kick left output behind; `resume()` goes on with it. */
  hasWork(): boolean {
    return this.get('transmitWork') !== 0 && this.isLive();
  }

  /** Sends at most `OUTPUT_BYTES_A_KICK` more; a pure function of machine state. */
  resume(): void {
    if (!this.hasWork()) return;
    const queue = this.queue(TRANSMIT);
    const features = this.features();
    let budget = OUTPUT_BYTES_A_KICK;
    let wantsInterrupt = false;
    while (budget > 0 && this.hasWork()) {
      const next = queue.peek(features);
      if (next.kind === 'chain' && next.writable.length === 0) {
        const sent = this.send(next, budget);
        budget -= sent + next.readable.length * DESCRIPTOR_COST_BYTES;
        if (this.get('transmitted') < next.readableBytes) continue;
        this.put('transmitted', 0);
        wantsInterrupt = queue.finish(next, 0, features) || wantsInterrupt;
        continue;
      }
      this.put('transmitWork', 0);
      if (next.kind !== 'empty') this.fail();
    }
    if (wantsInterrupt) this.raiseUsed();
  }

  /** Sends up to `limit` bytes of the chain from `transmitted` on, which it advances. */
  private send(chain: Chain, limit: number): number {
    let skip = this.get('transmitted');
    let left = limit;
    for (const segment of chain.readable) {
      if (left === 0) break;
      const from = Math.min(skip, segment.bytes);
      skip -= from;
      const count = Math.min(segment.bytes - from, left);
      if (count === 0) continue;
      const bytes = this.dma.read(segment.address + BigInt(from), count);
      this.output.emit('virtio-console', bytes);
      left -= count;
    }
    const sent = limit - left;
    this.put('transmitted', this.get('transmitted') + sent);
    return sent;
  }

  /** Bytes that `receive` takes now without loss. */
  inputSpace(): number {
    return CONSOLE_INPUT_BYTES - this.waiting();
  }

  /** Bytes in the input ring; words of a damaged snapshot can't make it more than the ring. */
  private waiting(): number {
    return Math.min(this.get('inputCount'), CONSOLE_INPUT_BYTES);
  }

  /** Bytes from outside; those beyond `inputSpace()` are lost. */
  receive(bytes: Uint8Array): void {
    const head = this.get('inputHead');
    const count = this.waiting();
    const taken = bytes.subarray(0, this.inputSpace());
    for (const [index, byte] of taken.entries()) {
      this.block.bytes[this.input + ((head + count + index) % CONSOLE_INPUT_BYTES)] = byte;
    }
    this.put('inputCount', count + taken.length);
    this.deliver();
  }

  /** Moves waiting input into posted buffers, as far as both go. */
  private deliver(): void {
    const queue = this.queue(RECEIVE);
    const features = this.features();
    let wantsInterrupt = false;
    while (this.isLive() && this.waiting() > 0) {
      const next = queue.peek(features);
      if (next.kind === 'empty') break;
      if (next.kind === 'broken' || next.readable.length > 0 || next.writableBytes === 0) {
        this.fail();
        break;
      }
      const count = Math.min(this.waiting(), next.writableBytes);
      this.fill(next.writable, count);
      wantsInterrupt = queue.finish(next, count, features) || wantsInterrupt;
    }
    if (wantsInterrupt) this.raiseUsed();
  }

  private fill(segments: readonly Segment[], count: number): void {
    let left = count;
    for (const segment of segments) {
      const part = Math.min(segment.bytes, left);
      if (part === 0) continue;
      this.dma.write(segment.address, this.takeInput(part));
      left -= part;
    }
  }

  private takeInput(count: number): Uint8Array {
    const head = this.get('inputHead');
    const bytes = new Uint8Array(count);
    for (let index = 0; index < count; index++) {
      bytes[index] = this.block.bytes[this.input + ((head + index) % CONSOLE_INPUT_BYTES)] ?? 0;
    }
    this.put('inputHead', (head + count) % CONSOLE_INPUT_BYTES);
    this.put('inputCount', this.waiting() - count);
    return bytes;
  }

  protected override onKick(index: number): void {
    if (index === RECEIVE) {
      this.deliver();
      return;
    }
    this.put('transmitWork', 1);
    this.resume();
  }

  protected override onQueueStopped(index: number): void {
    if (index !== TRANSMIT) return;
    this.put('transmitWork', 0);
    this.put('transmitted', 0);
  }
}
