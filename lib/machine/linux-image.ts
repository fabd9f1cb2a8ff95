/**
 * Reads the header of a RISC-V Linux `Image` (Documentation/arch/riscv/boot-image-header.rst):
 * where in memory it wants to be and how much it takes there, uninitialised data included.
 *
 * Compressed kernels are refused with a hint: the boot protocol of QEMU's virt has no one to
 * unpack them.
 */

import { LockstepError } from '../base/error.js';

const HEADER_BYTES = 64;
const MAGIC = 'RISCV\0\0\0';
const MAGIC_AT = 48;
const MAGIC2 = 'RSC\x05';
const MAGIC2_AT = 56;
const FLAG_BIG_ENDIAN = 1n;
const PE_HEADER_BYTES = 24;
const PE_SECTION_BYTES = 40;

export interface LinuxImage {
  /** From the start of RAM to the start of the kernel. */
  readonly textOffset: bigint;
  /** Memory that the kernel takes from its start, at least the file's length. */
  readonly memoryBytes: bigint;
}

function startsWith(bytes: Uint8Array, text: string, at: number): boolean {
  for (let index = 0; index < text.length; index++) {
    if (bytes[at + index] !== text.charCodeAt(index)) return false;
  }
  return true;
}

/** True if the file carries the magic number of a RISC-V Image. */
export function isLinuxImage(bytes: Uint8Array): boolean {
  return startsWith(bytes, MAGIC2, MAGIC2_AT) || startsWith(bytes, MAGIC, MAGIC_AT);
}

/** What the file is packed with, or null. */
export function compression(bytes: Uint8Array): string | null {
  if (bytes[0] === 0x1f && bytes[1] === 0x8b) return 'gzip';
  if (startsWith(bytes, 'MZ', 0) && startsWith(bytes, 'zimg', 4)) return 'EFI zboot';
  if (startsWith(bytes, '\xfd7zXZ\0', 0)) return 'xz';
  if (startsWith(bytes, '\x28\xb5\x2f\xfd', 0)) return 'zstd';
  return null;
}

/** The header of a kernel of which `isLinuxImage` holds. */
export function parseLinuxImage(bytes: Uint8Array): LinuxImage {
  if (bytes.length < HEADER_BYTES) {
    throw new LockstepError('BAD_IMAGE', 'the kernel is truncated inside the Image header');
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if ((view.getBigUint64(24, true) & FLAG_BIG_ENDIAN) !== 0n) {
    throw new LockstepError('BAD_IMAGE', 'the kernel is a big-endian Image');
  }
  const expected = fileBytesByPeHeader(bytes, view);
  if (expected > bytes.length) {
    throw new LockstepError(
      'BAD_IMAGE',
      `the kernel is truncated: its sections end at byte ${expected}, the file has ${bytes.length}`,
    );
  }
  const imageBytes = view.getBigUint64(16, true);
  const fileBytes = BigInt(bytes.length);
  return {
    textOffset: view.getBigUint64(8, true),
    memoryBytes: imageBytes > fileBytes ? imageBytes : fileBytes,
  };
}

/**
 * The file length that the EFI stub's section table promises, 0 without one. The Image header
 * gives only the size in memory, which does not show that a file was cut short.
 */
function fileBytesByPeHeader(bytes: Uint8Array, view: DataView): number {
  if (!startsWith(bytes, 'MZ', 0)) return 0;
  const header = view.getUint32(60, true);
  const sectionsAt = header + PE_HEADER_BYTES;
  if (sectionsAt > bytes.length) return sectionsAt;
  if (!startsWith(bytes, 'PE\0\0', header)) return 0;
  const count = view.getUint16(header + 6, true);
  const first = sectionsAt + view.getUint16(header + 20, true);
  if (first + count * PE_SECTION_BYTES > bytes.length) return first + count * PE_SECTION_BYTES;
  let end = 0;
  for (let index = 0; index < count; index++) {
    const section = first + index * PE_SECTION_BYTES;
    const rawBytes = view.getUint32(section + 16, true);
    end = Math.max(end, view.getUint32(section + 20, true) + rawBytes);
  }
  return end;
}
