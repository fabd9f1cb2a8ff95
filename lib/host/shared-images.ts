/**
 * Images in memory that threads share: a message to a worker then carries no copy of them, which
 * for a kernel of 30 MB took a tenth of a second on each side.
 */

import { closeSync, fstatSync, openSync, readFileSync, readSync } from 'node:fs';
import type { MachineImages } from '../machine/config.js';

/**
 * Reads a whole file into shared memory, with no copy in between: the pages of a copy are as dear
 * as those of the file. What has no size, a pipe for instance, is read as it comes.
 * Throws what `node:fs` throws.
 */
export function readShared(path: string): Uint8Array {
  const file = openSync(path, 'r');
  try {
    const status = fstatSync(file);
    if (!status.isFile() || status.size === 0) return readFileSync(file);
    const bytes = new Uint8Array(new SharedArrayBuffer(status.size));
    let filled = 0;
    while (filled < bytes.length) {
      const count = readSync(file, bytes, filled, bytes.length - filled, null);
      // Somebody made it shorter meanwhile.
      if (count === 0) return bytes.subarray(0, filled);
      filled += count;
    }
    return bytes;
  } finally {
    closeSync(file);
  }
}

/** The same bytes, each image copied once unless it is shared already. */
export function shareImages(images: MachineImages): MachineImages {
  return {
    bios: shared(images.bios),
    kernel: shared(images.kernel),
    initrd: shared(images.initrd),
  };
}

function shared(bytes: Uint8Array | null): Uint8Array | null {
  if (bytes === null || bytes.buffer instanceof SharedArrayBuffer) return bytes;
  const copy = new Uint8Array(new SharedArrayBuffer(bytes.length));
  copy.set(bytes);
  return copy;
}
