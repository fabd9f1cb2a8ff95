/**
 * Images in memory that threads share: a message to a worker then carries no copy of them, which
 * for a kernel of 30 MB took a tenth of a second on each side.
 */

import type { MachineImages } from '../machine/config.js';

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
