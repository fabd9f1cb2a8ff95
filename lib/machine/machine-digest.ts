/**
 * The name of a machine: a digest over its memory layout, configuration and images. Two replicas
 * with different digests refuse each other.
 */

import { Sha256 } from '../base/sha256.js';
import type { MemoryLayout } from '../memory/layout.js';
import type { MachineConfig, MachineImages } from './config.js';

/** Raised when the same state would run differently than before (docs/DETERMINISM.md). */
const BEHAVIOUR_VERSION = 1;

export function machineDigest(
  layout: MemoryLayout,
  config: MachineConfig,
  images: MachineImages,
): string {
  const hash = new Sha256();
  const text = (line: string): void => {
    hash.update(Uint8Array.from(line, (character) => character.charCodeAt(0) & 0xff));
  };
  text(`lockstep machine ${BEHAVIOUR_VERSION}\n${layout.description}\n`);
  text(
    `memory ${config.memoryBytes} harts ${config.harts} rate ${config.initialRate} ` +
      `rtc ${config.rtcStartSeconds} append ${config.append.length}:${config.append}\n`,
  );
  if (config.network !== null) text(`network ${config.network.mac}\n`);
  hash.update(config.rngSeed);
  for (const { sizeBytes, sha256 } of config.disks) text(`\ndisk ${sizeBytes} ${sha256}\n`);
  for (const name of ['bios', 'kernel', 'initrd'] as const) {
    const image = images[name];
    text(`\n${name} ${image === null ? 'none' : image.length}\n`);
    if (image !== null) hash.update(image);
  }
  return hash.hex();
}
