/**
 * Which device answers at a physical address outside RAM.
 *
 * Nothing there, a misaligned access or one that crosses a device's end is an access fault, which
 * the hart turns into its exception; a guest can't make this code throw.
 */

import { assert } from '../base/assert.js';
import type { MmioDevice } from './port.js';

export class Bus {
  private readonly devices: readonly MmioDevice[];

  /** The windows of `devices` must not overlap. */
  constructor(devices: readonly MmioDevice[]) {
    const sorted = [...devices].sort((a, b) => a.base - b.base);
    let end = 0;
    for (const device of sorted) {
      assert(device.base >= end, `device ${device.name} overlaps the one below it`);
      end = device.base + device.sizeBytes;
    }
    this.devices = sorted;
  }

  find(address: number): MmioDevice | undefined {
    for (const device of this.devices) {
      if (address < device.base) return undefined;
      if (address < device.base + device.sizeBytes) return device;
    }
    return undefined;
  }

  /** The device that takes this whole access, or undefined for an access fault. */
  private target(address: number, bytes: number): MmioDevice | undefined {
    if (address % bytes !== 0) return undefined;
    const device = this.find(address);
    if (device === undefined) return undefined;
    return address + bytes <= device.base + device.sizeBytes ? device : undefined;
  }

  /** The value, zero-extended, or null for an access fault. `bytes` is 1, 2, 4 or 8. */
  read(address: number, bytes: number): bigint | null {
    const device = this.target(address, bytes);
    if (device === undefined) return null;
    return BigInt.asUintN(bytes * 8, device.read(address - device.base, bytes));
  }

  /** False for an access fault. Only the low `bytes` of `value` reach the device. */
  write(address: number, bytes: number, value: bigint): boolean {
    const device = this.target(address, bytes);
    if (device === undefined) return false;
    device.write(address - device.base, bytes, BigInt.asUintN(bytes * 8, value));
    return true;
  }
}
