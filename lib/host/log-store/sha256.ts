/**
 * The host's SHA-256, for the ports that `lib/event/batch.ts` and `lib/machine` ask for.
 */

import { createHash } from 'node:crypto';
import type { Sha256 } from '../../event/batch.js';
import type { RunningSha256 } from '../../machine/machine-digest.js';

export const sha256: Sha256 = (bytes) =>
  new Uint8Array(createHash('sha256').update(bytes).digest());

export function runningSha256(): RunningSha256 {
  const hash = createHash('sha256');
  return { update: (bytes) => hash.update(bytes), hex: () => hash.digest('hex') };
}

export function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex');
}

/** Bytes of a hexadecimal text of exactly `length` bytes, or null. */
export function fromHex(text: string, length: number): Uint8Array | null {
  if (text.length !== length * 2 || !/^[0-9a-f]*$/.test(text)) return null;
  return new Uint8Array(Buffer.from(text, 'hex'));
}
