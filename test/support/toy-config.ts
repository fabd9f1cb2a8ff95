/**
 * The configuration of the toy machine: how much memory it has, and no images.
 */

import { DEFAULT_RATE, type MachineConfig, type MachineImages } from '../../lib/machine/config.js';

export const PAGE_BYTES = 4096;
export const PAGE_COUNT = 64;

export const TOY_CONFIG: MachineConfig = {
  memoryBytes: PAGE_COUNT * PAGE_BYTES,
  harts: 1,
  schedule: 'turns',
  append: '',
  initialRate: DEFAULT_RATE,
  rtcStartSeconds: 0n,
  rngSeed: new Uint8Array(0),
  network: null,
  disks: [],
};

export const TOY_IMAGES: MachineImages = { bios: null, kernel: null, initrd: null };
