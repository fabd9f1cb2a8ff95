/**
 * Guest-physical memory as devices see it: bounds-checked, and every store is reported, so that
 * dirty pages, decoded code and translations stay true.
 */

import { assert } from '../base/assert.js';
import type { DmaPort } from '../device/port.js';
import type { MemoryLayout } from '../memory/layout.js';
import { RAM_BASE } from './config.js';

export class RamDma implements DmaPort {
  private readonly bytes: Uint8Array;
  private readonly view: DataView;
  private readonly noteWrite: (physical: number, bytes: number) => void;

  constructor(
    layout: MemoryLayout,
    buffer: ArrayBufferLike,
    noteWrite: (physical: number, bytes: number) => void,
  ) {
    this.bytes = new Uint8Array(buffer, layout.ramOffset, layout.ramBytes);
    this.view = new DataView(buffer, layout.ramOffset, layout.ramBytes);
    this.noteWrite = noteWrite;
  }

  contains(address: bigint, bytes: number): boolean {
    const end = BigInt(RAM_BASE) + BigInt(this.bytes.length);
    return address >= BigInt(RAM_BASE) && address + BigInt(bytes) <= end;
  }

  read(address: bigint, bytes: number): Uint8Array {
    const at = this.offset(address, bytes);
    return this.bytes.slice(at, at + bytes);
  }

  write(address: bigint, bytes: Uint8Array): void {
    const at = this.offset(address, bytes.length);
    this.bytes.set(bytes, at);
    if (bytes.length > 0) this.noteWrite(at + RAM_BASE, bytes.length);
  }

  readU16(address: bigint): number {
    return this.view.getUint16(this.offset(address, 2), true);
  }

  readU32(address: bigint): number {
    return this.view.getUint32(this.offset(address, 4), true);
  }

  readU64(address: bigint): bigint {
    return this.view.getBigUint64(this.offset(address, 8), true);
  }

  writeU16(address: bigint, value: number): void {
    const at = this.offset(address, 2);
    this.view.setUint16(at, value, true);
    this.noteWrite(at + RAM_BASE, 2);
  }

  writeU32(address: bigint, value: number): void {
    const at = this.offset(address, 4);
    this.view.setUint32(at, value, true);
    this.noteWrite(at + RAM_BASE, 4);
  }

  /** Devices ask `contains` first; an address outside RAM here is a bug of the device. */
  private offset(address: bigint, bytes: number): number {
    assert(this.contains(address, bytes), `DMA of ${bytes} bytes at ${address} outside RAM`);
    return Number(address - BigInt(RAM_BASE));
  }
}
