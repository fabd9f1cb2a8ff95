/**
 * Debian with its own redis-server, as an image of its own beside the plain one.
 */

import { join } from 'node:path';
import { buildDebianImage, type DebianImage } from '../../lib/host/image/debian-image.js';
import { defaultCacheFolder, IMAGE_NAME } from '../../lib/host/image/image-place.js';
import { DEBIAN_KEYRING } from '../../lib/host/image/release.js';
import { imageFlags } from './debian.js';

/** With what it depends on. */
export const REDIS_PACKAGES: readonly string[] = ['redis-server'];
export const REDIS_FOLDER = join(defaultCacheFolder(), `${IMAGE_NAME}-redis`);
export const REDIS_PORT = 6379;

const SERVER =
  'mkdir -p /run/redis; redis-server --bind 0.0.0.0 --protected-mode no --appendonly no ' +
  '--dir /run/redis';
/** For a shell that goes on; nothing is saved while others measure. */
export const REDIS_IN_BACKGROUND = `${SERVER} --save "" --daemonize yes >/dev/null`;

/** Flags of a machine that boots the image and serves redis on `REDIS_PORT`. */
export function redisFlags(image: DebianImage): string[] {
  return [
    ...imageFlags(image),
    '--append',
    `console=ttyS0 quiet lockstep.run="${SERVER} --daemonize no"`,
  ];
}

/** Builds the image, or finds it built. */
export function buildRedisImage(say: (text: string) => void): Promise<DebianImage> {
  return buildDebianImage(
    {
      mirror: null,
      cacheFolder: defaultCacheFolder(),
      outputFolder: REDIS_FOLDER,
      keyring: DEBIAN_KEYRING,
      packages: REDIS_PACKAGES,
      script: null,
      rootDiskBytes: null,
      refresh: false,
    },
    { stage: say, progress: () => undefined, note: say },
  );
}
