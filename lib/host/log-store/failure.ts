/**
 * How the log store says what went wrong: always with the file, and for damage with the place.
 */

import { LockstepError } from '../../base/error.js';

/** A call of the operating system failed; `action` reads like "cannot write". */
export function ioFailure(error: unknown, action: string, path: string): LockstepError {
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
  const reason = REASONS[code] ?? (error instanceof Error ? error.message : String(error));
  return new LockstepError('IO', `${action} ${path}: ${reason} (${code})`, { path, errno: code });
}

const REASONS: Readonly<Record<string, string>> = {
  ENOSPC: 'no space left on the device',
  EDQUOT: 'disk quota exceeded',
  EIO: 'the device reports an input/output error',
  EACCES: 'permission denied',
  EPERM: 'operation not permitted',
  EROFS: 'the file system is read-only',
  ENOENT: 'no such file or directory',
  ENOTDIR: 'not a directory',
  EEXIST: 'it exists already',
  EMFILE: 'too many open files',
};

export interface DamagePlace {
  readonly file: string;
  /** Byte offset in the file. */
  readonly offset: number;
  /** First sequence number that cannot be trusted; 0 where it is not known. */
  readonly seq: bigint;
}

export function damage(place: DamagePlace, reason: string): LockstepError {
  return new LockstepError(
    'BAD_LOG',
    `${place.file}: damaged at byte ${place.offset}, sequence number ${place.seq}: ${reason}`,
    { file: place.file, offset: place.offset, seq: place.seq },
  );
}

/** Runs a call of the operating system and turns its error into `IO`. */
export function attempt<T>(action: string, path: string, call: () => T): T {
  try {
    return call();
  } catch (error) {
    throw ioFailure(error, action, path);
  }
}
