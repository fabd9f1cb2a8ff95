/**
 * Quantities as people write them on a command line: sizes, durations, step counts.
 *
 * Each parser takes the whole text or refuses it with `USAGE`, naming the flag and the forms it
 * knows; nothing is guessed and nothing is rounded silently.
 */

import { LockstepError } from '../lib/base/error.js';

const SIZE_UNITS: Readonly<Record<string, number>> = {
  '': 1,
  K: 2 ** 10,
  M: 2 ** 20,
  G: 2 ** 30,
  T: 2 ** 40,
};

const DURATION_UNITS_MS: Readonly<Record<string, number>> = {
  us: 0.001,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
};

const COUNT_UNITS: Readonly<Record<string, bigint>> = {
  '': 1n,
  k: 1_000n,
  K: 1_000n,
  M: 1_000_000n,
  G: 1_000_000_000n,
};

function refuse(flag: string, text: string, forms: string): never {
  throw new LockstepError('USAGE', `${flag}: "${text}" is not ${forms}`);
}

/** Bytes; K, M, G and T are powers of 1024, as in QEMU. */
export function parseSize(text: string, flag: string): number {
  const match = /^([0-9]+(?:\.[0-9]+)?)([KMGT]?)(?:i?B)?$/i.exec(text);
  const unit = SIZE_UNITS[(match?.[2] ?? '').toUpperCase()];
  const bytes = Number(match?.[1]) * (unit ?? Number.NaN);
  if (!Number.isSafeInteger(bytes)) {
    refuse(flag, text, 'a size such as 4096, 64K, 256M or 1G');
  }
  return bytes;
}

/** Milliseconds, perhaps with a fraction. A bare number is refused: its unit would be a guess. */
export function parseDuration(text: string, flag: string): number {
  const match = /^([0-9]+(?:\.[0-9]+)?)(us|ms|s|m|h)$/.exec(text);
  const unit = DURATION_UNITS_MS[match?.[2] ?? 'none'];
  const milliseconds = Number(match?.[1]) * (unit ?? Number.NaN);
  if (!Number.isFinite(milliseconds)) {
    refuse(flag, text, 'a duration such as 500us, 250ms, 2s, 5m or 1h');
  }
  return milliseconds;
}

/**
 * A step count or sequence number: decimal or 0x hexadecimal, `_` between digits, k, M and G as
 * powers of 1000.
 */
export function parseCount(text: string, flag: string): bigint {
  const match = /^(0x[0-9a-f_]+|[0-9][0-9_]*)([kKMG]?)$/i.exec(text);
  const unit = COUNT_UNITS[match?.[2] ?? ''];
  const digits = (match?.[1] ?? '').replaceAll('_', '');
  if (match === null || unit === undefined || digits === '0x' || digits === '0X') {
    refuse(flag, text, 'a count such as 1000000, 1_000_000, 0xf4240 or 1M');
  }
  const value = BigInt(digits) * unit;
  if (value >= 1n << 64n) refuse(flag, text, 'below 2^64');
  return value;
}
