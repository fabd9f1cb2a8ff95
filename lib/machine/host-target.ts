/**
 * HTIF as the RISC-V test suites use it: an odd value in `tohost` ends the run, with the exit code
 * above bit 0.
 */

import type { MemoryLayout } from '../memory/layout.js';
import { RAM_BASE } from './config.js';

export class HostTarget {
  readonly address: number;
  private readonly view: DataView;
  private readonly at: number;

  /** `address` is that of the symbol `tohost`, in RAM. */
  constructor(address: number, layout: MemoryLayout, buffer: ArrayBufferLike) {
    this.address = address;
    this.view = new DataView(buffer);
    this.at = layout.ramOffset + address - RAM_BASE;
  }

  /** The exit code, or null while the run goes on. */
  exitCode(): number | null {
    const value = this.view.getBigUint64(this.at, true);
    const isExit = (value & 1n) === 1n && value >> 48n === 0n;
    return isExit ? Number((value >> 1n) & 0x7fff_ffffn) : null;
  }
}
