/**
 * Debian's images for tests: those that `lockstep image` has left in the cache, or, with a
 * network, fetched now. A test without them says so and is skipped.
 *
 * LOCKSTEP_IMAGES names another folder than the cache's.
 */

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { LockstepError } from '../../lib/base/error.js';
import type { Reporter } from '../../lib/host/image/debian-archive.js';
import {
  buildDebianImage,
  findDebianImage,
  type DebianImage,
} from '../../lib/host/image/debian-image.js';
import { defaultCacheFolder, IMAGE_NAME } from '../../lib/host/image/image-place.js';
import { DEBIAN_KEYRING } from '../../lib/host/image/release.js';
import type { MachineImages } from '../../lib/machine/config.js';

const SILENT: Reporter = { stage: () => {}, progress: () => {}, note: () => {} };

/**
 * The image with a shell, or one of the test's own; null after saying on the test's log why there
 * is none.
 */
export async function debianImage(
  t: ExecutionContext,
  own: {
    readonly folder: string;
    /** What init runs instead of a shell. */
    readonly text?: string;
    readonly packages?: readonly string[];
    readonly rootDiskBytes?: number;
  } | null = null,
): Promise<DebianImage | null> {
  const chosen = process.env['LOCKSTEP_IMAGES'];
  if (chosen !== undefined && own === null) return findDebianImage(chosen);
  const cacheFolder = defaultCacheFolder();
  try {
    return await buildDebianImage(
      {
        mirror: null,
        cacheFolder,
        outputFolder: own?.folder ?? join(cacheFolder, IMAGE_NAME),
        keyring: DEBIAN_KEYRING,
        packages: own?.packages ?? [],
        rootDiskBytes: own?.rootDiskBytes ?? null,
        script: own?.text === undefined ? null : Buffer.from(own.text),
        refresh: false,
      },
      SILENT,
    );
  } catch (error) {
    if (!(error instanceof LockstepError)) throw error;
    // No network, no mirror configured, no xz: the machine is not one for this test. Anything
    // else, such as a bad hash, is a failure.
    if (error.code !== 'IO' && error.code !== 'USAGE' && error.code !== 'MISSING_TOOL') throw error;
    t.log(`skipped: no Debian images (${error.message})`);
    t.pass();
    return null;
  }
}

export async function readImages(image: DebianImage): Promise<MachineImages> {
  const [bios, kernel, initrd] = await Promise.all(
    [image.bios, image.kernel, image.initrd].map((path) => readFile(path)),
  );
  return { bios: bios ?? null, kernel: kernel ?? null, initrd: initrd ?? null };
}

/** Flags of a machine that boots an image; what the kernel is told is the caller's. */
export function imageFlags({ bios, kernel, initrd }: DebianImage): string[] {
  return ['--bios', bios, '--kernel', kernel, '--initrd', initrd];
}

/** The images for a campaign, which doesn't fetch them: USAGE where there are none. */
export async function cachedDebianImage(): Promise<DebianImage> {
  const folder = process.env['LOCKSTEP_IMAGES'] ?? join(defaultCacheFolder(), IMAGE_NAME);
  const image = await findDebianImage(folder);
  if (image !== null) return image;
  throw new LockstepError(
    'USAGE',
    `no Debian images in ${folder}: \`lockstep image\` fetches them`,
  );
}
