/** Skeleton: constructor and ports as the machine sees them. */
import type { WordBlock, WordBlockSpec } from '../../memory/word-block.js';
import type { DmaPort, InterruptLine, MmioDevice } from '../port.js';

export const VIRTIO_ENTROPY_SPEC: WordBlockSpec = { name: 'virtio-entropy', fields: ['status'] };

export interface VirtioEntropyOptions {
  readonly base: number;
  readonly dma: DmaPort;
  readonly interrupt: InterruptLine;
}

export class VirtioEntropy implements MmioDevice {
  readonly name = 'virtio-entropy';
  readonly base: number;
  readonly sizeBytes = 0x1000;

  constructor(_block: WordBlock, options: VirtioEntropyOptions) {
    this.base = options.base;
  }

  reset(): void {}

  /** Random bytes the guest waits for, 0 to 4096. */
  wanted(): number {
    return 0;
  }

  supply(_bytes: Uint8Array): void {}

  read(_offset: number, _bytes: number): bigint {
    return 0n;
  }

  write(_offset: number, _bytes: number, _value: bigint): void {}
}
