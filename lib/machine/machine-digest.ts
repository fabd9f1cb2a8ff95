/**
 * The name of a machine: a digest over its memory layout, configuration and images. Two replicas
 * with different digests refuse each other.
 */

import type { MemoryLayout } from '../memory/layout.js';
import type { MachineConfig, MachineImages } from './config.js';

/** Raised when the same state would run differently than before (docs/DETERMINISM.md). */
const BEHAVIOUR_VERSION = 2;

/** SHA-256 as it goes along; the host's own is thirty times as fast as `lib/base/sha256.ts`. */
export interface RunningSha256 {
  update(bytes: Uint8Array): unknown;
  /** The digest as 64 hexadecimal digits; the object is spent. */
  hex(): string;
}

export function machineDigest(
  layout: MemoryLayout,
  config: MachineConfig,
  images: MachineImages,
  hash: RunningSha256,
): string {
  const text = (line: string): void => {
    hash.update(Uint8Array.from(line, (character) => character.charCodeAt(0) & 0xff));
  };
  text(`lockstep machine ${BEHAVIOUR_VERSION}\n${layout.description}\n`);
  text(
    `memory ${config.memoryBytes} harts ${config.harts} rate ${config.initialRate} ` +
      `rtc ${config.rtcStartSeconds} append ${config.append.length}:${config.append}\n`,
  );
  if (config.schedule === 'parallel') text('parallel\n');
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
