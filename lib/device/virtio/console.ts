/** Skeleton: constructor and ports as the machine sees them. */
import type { WordBlock, WordBlockSpec } from '../../memory/word-block.js';
import type { ConsoleInput, DmaPort, InterruptLine, MmioDevice, OutputPort } from '../port.js';

export const VIRTIO_CONSOLE_SPEC: WordBlockSpec = { name: 'virtio-console', fields: ['status'] };

export interface VirtioConsoleOptions {
  readonly base: number;
  readonly dma: DmaPort;
  readonly interrupt: InterruptLine;
  readonly output: OutputPort;
}

export class VirtioConsole implements MmioDevice, ConsoleInput {
  readonly name = 'virtio-console';
  readonly stream = 'virtio-console';
  readonly base: number;
  readonly sizeBytes = 0x1000;

  constructor(_block: WordBlock, options: VirtioConsoleOptions) {
    this.base = options.base;
  }

  reset(): void {}

  /** True while a kick left output unprocessed; `resume()` goes on with it. */
  hasWork(): boolean {
    return false;
  }

  resume(): void {}

  inputSpace(): number {
    return 0;
  }

  receive(_bytes: Uint8Array): void {}

  read(_offset: number, _bytes: number): bigint {
    return 0n;
  }

  write(_offset: number, _bytes: number, _value: bigint): void {}
}
