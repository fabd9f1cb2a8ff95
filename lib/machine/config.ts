/**
 * What a machine is made of: the configuration and the images, before anything runs.
 *
 * Plain data: it crosses process and thread borders. Both replicas must be given equal ones; the
 * digest over them is compared in the handshake.
 */

export interface MachineConfig {
  /** Guest RAM in bytes, a multiple of 2 MiB, from 2 MiB to 3 GiB. */
  readonly memoryBytes: number;
  readonly harts: number;
  /** Kernel command line (device tree /chosen bootargs). */
  readonly append: string;
  /** Virtual time at the start: timebase ticks (10 MHz) a step, as a 32.32 fixed-point number. */
  readonly initialRate: bigint;
  /** Seconds since the epoch shown by the RTC at virtual time 0; a recorded input. */
  readonly rtcStartSeconds: bigint;
  /** 32 bytes for /chosen/rng-seed; a recorded input, empty for none. */
  readonly rngSeed: Uint8Array;
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
