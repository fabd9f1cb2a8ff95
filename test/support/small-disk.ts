/**
 * A file system of 256 KiB that fills up, or that can't be written, as a test needs it.
 */

import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';

/** Where it is mounted; null, and said on the test's log, where only root may mount. */
export function smallDisk(t: ExecutionContext, mode: 'rw' | 'ro' = 'rw'): string | null {
  const mountPoint = mkdtempSync(join(tmpdir(), 'lockstep-disk-'));
  const options = `size=256k,${mode}`;
  const mount = spawnSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', mountPoint]);
  if (mount.status !== 0) {
    rmSync(mountPoint, { recursive: true });
    t.log('skipped: mounting a tmpfs needs root and mount(8)');
    t.pass();
    return null;
  }
  t.teardown(() => {
    spawnSync('umount', ['--lazy', mountPoint]);
    rmSync(mountPoint, { recursive: true, force: true });
  });
  return mountPoint;
}
