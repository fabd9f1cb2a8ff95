/**
 * Outside programs that reading a Debian archive needs (`xz`, `gpgv`): looked up before use, so
 * that a missing one is a clear answer and not a failed spawn.
 */

import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { LockstepError } from '../../base/error.js';

/** Where Debian puts what administrators use; they are not on everybody's PATH. */
const SYSTEM_FOLDERS = ['/usr/sbin', '/sbin'];

/** Absolute path of a program, or null. */
export async function findProgram(name: string): Promise<string | null> {
  for (const folder of [...(process.env['PATH'] ?? '').split(delimiter), ...SYSTEM_FOLDERS]) {
    if (folder === '') continue;
    const candidate = join(folder, name);
    try {
      await access(candidate, constants.X_OK);
    } catch {
      continue;
    }
    return candidate;
  }
  return null;
}

/** MISSING_TOOL where it is not installed; `purpose` says what for. */
export async function requireProgram(name: string, purpose: string): Promise<string> {
  const path = await findProgram(name);
  if (path !== null) return path;
  throw new LockstepError('MISSING_TOOL', `${name} is not installed; it is needed to ${purpose}`, {
    tool: name,
  });
}
