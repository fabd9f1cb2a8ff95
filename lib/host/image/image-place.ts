/** Where images of Debian are kept, and looked for, if nobody says otherwise. */

import { homedir } from 'node:os';
import { join } from 'node:path';

/** Folder of the image of Debian, within the cache. */
export const IMAGE_NAME = 'debian-13-riscv64';

/** ~/.cache/lockstep, or below XDG_CACHE_HOME. */
export function defaultCacheFolder(): string {
  const base = process.env['XDG_CACHE_HOME'] ?? '';
  return join(base === '' ? join(homedir(), '.cache') : base, 'lockstep');
}
