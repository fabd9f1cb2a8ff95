/**
 * Guest-physical memory as devices see it: bounds-checked, and every store is reported, so that
 * dirty pages, decoded code and translations stay true.
 */

import { assert } from '../base/assert.js';
import type { DmaPort } from '../device/port.js';
import type { MemoryLayout } from '../memory/layout.js';
import { RAM_BASE } from './config.js';

/** The hart on whose behalf devices run. */
export interface DmaHart {
  /** Before bytes of RAM are read or written. */
  claim(physical: number, bytes: number, mode: 'read' | 'write'): void;
  /** After bytes were written. */
  written(physical: number, bytes: number): void;
}

export class RamDma implements DmaPort {
  private readonly bytes: Uint8Array;
  private readonly view: DataView;
  private readonly hart: DmaHart;

  constructor(layout: MemoryLayout, buffer: ArrayBufferLike, hart: DmaHart) {
    this.bytes = new Uint8Array(buffer, layout.ramOffset, layout.ramBytes);
    this.view = new DataView(buffer, layout.ramOffset, layout.ramBytes);
    this.hart = hart;
  }

  contains(address: bigint, bytes: number): boolean {
    const end = BigInt(RAM_BASE) + BigInt(this.bytes.length);
    return address >= BigInt(RAM_BASE) && address + BigInt(bytes) <= end;
  }

  read(address: bigint, bytes: number): Uint8Array {
    const at = this.claim(address, bytes, 'read');
    return this.bytes.slice(at, at + bytes);
  }

  write(address: bigint, bytes: Uint8Array): void {
    const at = this.claim(address, bytes.length, 'write');
    this.bytes.set(bytes, at);
    if (bytes.length > 0) this.hart.written(at + RAM_BASE, bytes.length);
  }

  readU16(address: bigint): number {
    return this.view.getUint16(this.claim(address, 2, 'read'), true);
  }

  readU32(address: bigint): number {
    return this.view.getUint32(this.claim(address, 4, 'read'), true);
  }

  readU64(address: bigint): bigint {
    return this.view.getBigUint64(this.claim(address, 8, 'read'), true);
  }

  writeU16(address: bigint, value: number): void {
    const at = this.claim(address, 2, 'write');
    this.view.setUint16(at, value, true);
    this.hart.written(at + RAM_BASE, 2);
  }

  writeU32(address: bigint, value: number): void {
    const at = this.claim(address, 4, 'write');
    this.view.setUint32(at, value, true);
    this.hart.written(at + RAM_BASE, 4);
  }

  private claim(address: bigint, bytes: number, mode: 'read' | 'write'): number {
    const at = this.offset(address, bytes);
    this.hart.claim(at + RAM_BASE, bytes, mode);
    return at;
  }

  /** Devices ask `contains` first; an address outside RAM here is a bug of the device. */
  private offset(address: bigint, bytes: number): number {
    assert(this.contains(address, bytes), `DMA of ${bytes} bytes at ${address} outside RAM`);
    return Number(address - BigInt(RAM_BASE));
  }
}
