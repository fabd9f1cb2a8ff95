/**
 * What a machine is made of: the configuration and the images, before anything runs.
 *
 * Plain data: it crosses process and thread borders. Both replicas must be given equal ones; the
 * digest over them is compared in the handshake.
 */

import { LockstepError } from '../base/error.js';

/** A virtio network card; both replicas have the same one, and so the same address. */
export interface NetworkCard {
  /** Six bytes in hexadecimal, lower case, with colons. */
  readonly mac: string;
}

export interface MachineConfig {
  /** Guest RAM in bytes, a multiple of 2 MiB, from 2 MiB to 3 GiB. */
  readonly memoryBytes: number;
  readonly harts: number;
  /** Whether several harts take turns on one thread, or run on one each. */
  readonly schedule: 'turns' | 'parallel';
  /** Kernel command line (device tree /chosen bootargs). */
  readonly append: string;
  /** Virtual time at the start: timebase ticks (10 MHz) a step, as a 32.32 fixed-point number. */
  readonly initialRate: bigint;
  /** Seconds since the epoch shown by the RTC at virtual time 0; a recorded input. */
  readonly rtcStartSeconds: bigint;
  /** 32 bytes for /chosen/rng-seed; a recorded input, empty for none. */
  readonly rngSeed: Uint8Array;
  /** Null for a machine without a network. */
  readonly network: NetworkCard | null;
  /** At most `MAX_DISKS`, in the order of their names in the guest: vda, vdb, ... */
  readonly disks: readonly DiskConfig[];
}

/** A disk as it is at power-on; each replica has the content from a file of its own. */
export interface DiskConfig {
  /** A multiple of 512, at most `MAX_DISK_BYTES`. */
  readonly sizeBytes: number;
  /** SHA-256 of the content at power-on, hexadecimal. */
  readonly sha256: string;
}

/** Errors: USAGE, for what this version can't build. */
export function checkConfig(config: MachineConfig): void {
  if (!Number.isInteger(config.harts) || config.harts < 1 || config.harts > MAX_HARTS) {
    throw new LockstepError('USAGE', `${config.harts} harts: give 1 to ${MAX_HARTS}`);
  }
  const megabytes = config.memoryBytes / 2 ** 20;
  if (!Number.isInteger(megabytes / 2) || megabytes < 2 || megabytes > 3072) {
    throw new LockstepError(
      'USAGE',
      `memory of ${config.memoryBytes} bytes: give a multiple of 2M between 2M and 3G`,
    );
  }
  const { network } = config;
  if (network !== null && !/^[0-9a-f][02468ace](:[0-9a-f]{2}){5}$/.test(network.mac)) {
    throw new LockstepError(
      'USAGE',
      `network address "${network.mac}": give six bytes as in 52:54:00:12:34:56, the first even`,
    );
  }
  checkDisks(config.disks);
}

function checkDisks(disks: readonly DiskConfig[]): void {
  if (disks.length > MAX_DISKS) {
    throw new LockstepError('USAGE', `${disks.length} disks, at most ${MAX_DISKS}`);
  }
  for (const { sizeBytes } of disks) {
    if (sizeBytes > 0 && sizeBytes % 512 === 0 && sizeBytes <= MAX_DISK_BYTES) continue;
    throw new LockstepError(
      'USAGE',
      `a disk of ${sizeBytes} bytes: give whole sectors of 512 bytes, at most 256G`,
    );
  }
}

export interface MachineImages {
  /** Firmware (ELF or raw) put at the start of RAM; null starts the kernel in M mode. */
  readonly bios: Uint8Array | null;
  /** ELF or Linux Image; null only where the firmware is all there is. */
  readonly kernel: Uint8Array | null;
  readonly initrd: Uint8Array | null;
}

/** Timebase of the machine, as QEMU's virt has it. */
export const TIMEBASE_HZ = 10_000_000;
/** 100 million steps a virtual second: 0.1 ticks a step in 32.32 fixed point. */
export const DEFAULT_RATE = (1n << 32n) / 10n;
export const RAM_BASE = 0x8000_0000;
export const MAX_HARTS = 8;
export const MAX_DISKS = 4;
/** An index of one byte for each block of 4 KiB is kept in memory: 64 MiB for such a disk. */
export const MAX_DISK_BYTES = 256 * 2 ** 30;
