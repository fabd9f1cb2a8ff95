/**
 * Where things lie in the machine's physical address space: QEMU's `virt` board, so that firmware
 * and kernels built for it run unmodified. Addresses and interrupt numbers only; the device tree
 * repeats them for the guest, and the loader places images between them.
 */

export interface Region {
  readonly base: number;
  readonly sizeBytes: number;
}

/** Our reset vector: read-only. The first instruction of every hart is at its base. */
export const MROM: Region = { base: 0x1000, sizeBytes: 0xf000 };
/** "sifive,test1": power-off, reset, exit code. */
export const SYSCON: Region = { base: 0x10_0000, sizeBytes: 0x1000 };
export const RTC: Region = { base: 0x10_1000, sizeBytes: 0x1000 };
export const CLINT: Region = { base: 0x200_0000, sizeBytes: 0x1_0000 };
export const PLIC: Region = { base: 0xc00_0000, sizeBytes: 0x60_0000 };
export const UART: Region = { base: 0x1000_0000, sizeBytes: 0x100 };

export const VIRTIO_SLOTS = 8;
const VIRTIO_BASE = 0x1000_1000;
const VIRTIO_STRIDE = 0x1000;

/** The virtio-mmio window of `slot`, 0 to 7. */
export function virtioSlot(slot: number): Region {
  return { base: VIRTIO_BASE + slot * VIRTIO_STRIDE, sizeBytes: VIRTIO_STRIDE };
}

/** Interrupt sources of the PLIC are numbered 1 to this. */
export const PLIC_SOURCE_LAST = 95;
export const UART_IRQ = 10;
export const RTC_IRQ = 11;

/** The interrupt source of virtio-mmio `slot`. */
export function virtioIrq(slot: number): number {
  return 1 + slot;
}

/** Slots in use; the others answer with device ID 0. */
export const VIRTIO_CONSOLE_SLOT = 0;
export const VIRTIO_ENTROPY_SLOT = 1;
export const VIRTIO_NET_SLOT = 3;
/** Of the first disk; the others follow it. */
export const VIRTIO_BLOCK_SLOT = 4;

/** Input clock of the UART in the device tree; the model ignores the divisor. */
export const UART_CLOCK_HZ = 3_686_400;
/** Where OpenSBI's generic fw_jump and QEMU expect the kernel: 2 MiB above the start of RAM. */
export const KERNEL_OFFSET = 0x20_0000;
