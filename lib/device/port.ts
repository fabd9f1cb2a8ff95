/**
 * What a device may touch: ports given at construction. A device never imports the machine.
 *
 * Device registers live in the machine's flat memory, in the block that the layout table gives
 * the device; a device object holds no guest-visible state of its own, only views and ports.
 * Devices are called synchronously on the hart's thread.
 */

import type { InputStream, OutputStream } from '../event/event.js';

/** Guest-physical memory for DMA. Every access is checked; an address outside RAM is refused. */
export interface DmaPort {
  /** True if the whole range lies in RAM (no wrap). */
  contains(address: bigint, bytes: number): boolean;
  /** A copy, which the guest can't change afterwards. */
  read(address: bigint, bytes: number): Uint8Array;
  write(address: bigint, bytes: Uint8Array): void;
  readU16(address: bigint): number;
  readU32(address: bigint): number;
  readU64(address: bigint): bigint;
  writeU16(address: bigint, value: number): void;
  writeU32(address: bigint, value: number): void;
}

/** A level-triggered interrupt line into the PLIC. */
export interface InterruptLine {
  set(level: boolean): void;
}

/** Where output goes: it is numbered, held and released by others. */
export interface OutputPort {
  /** The port may keep `bytes`; the device does not touch them again. */
  emit(stream: OutputStream, bytes: Uint8Array): void;
}

/** Virtual time in timebase ticks (10 MHz). */
export interface ClockPort {
  now(): bigint;
}

/**
 * Memory-mapped registers. `offset` is relative to the device's base and `bytes` is 1, 2, 4 or 8,
 * naturally aligned. An access that the device does not have reads as 0 and is ignored on write,
 * as QEMU's virt does, unless `read`/`write` say otherwise.
 */
export interface MmioDevice {
  readonly name: string;
  readonly base: number;
  readonly sizeBytes: number;
  read(offset: number, bytes: number): bigint;
  write(offset: number, bytes: number, value: bigint): void;
}

/**
 * The content of a disk, in sectors of 512 bytes. Every call is complete when it returns, and both
 * replicas of a pair hold equal content, so what a read gives is machine state like RAM. The device
 * checks bounds; a host that can't do what is asked throws IO, which ends its node and never
 * reaches the guest.
 */
export interface DiskPort {
  readonly sectorCount: number;
  /** Fills `into`, whole sectors from `sector` on. */
  read(sector: number, into: Uint8Array): void;
  write(sector: number, bytes: Uint8Array): void;
  /** Makes `count` sectors read as zeros. */
  zero(sector: number, count: number): void;
  /** What was written is as safe as the host was told to make it. */
  flush(): void;
}

/** A device that takes console bytes as an event. */
export interface ConsoleInput {
  readonly stream: InputStream;
  inputSpace(): number;
  receive(bytes: Uint8Array): void;
}
