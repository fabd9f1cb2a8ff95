/**
 * The machine that a log starts from, where that is not one at power-on: `start.snapshot` beside
 * the segments.
 *
 * A backup that joined a running machine, and a primary that was restored, have logs that begin
 * in the middle of a life. With the snapshot in it a log directory is complete: it can be replayed
 * without the logs of the nodes that came before. The snapshot has its own checksum and names its
 * machine; whoever restores it checks both.
 */

import { existsSync, readFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { LockstepError } from '../../base/error.js';
import { attempt } from './failure.js';
import type { FlushMode } from './writer.js';

export const START_SNAPSHOT_FILE = 'start.snapshot';

/** Resolves when the file is as safe as `flush` says. Errors: IO. */
export async function writeStartSnapshot(
  directory: string,
  bytes: Uint8Array,
  flush: FlushMode,
): Promise<void> {
  const path = join(directory, START_SNAPSHOT_FILE);
  try {
    const file = await open(path, 'wx', 0o600);
    try {
      await file.writeFile(bytes);
      if (flush === 'durable') await file.sync();
    } finally {
      await file.close();
    }
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new LockstepError('IO', `cannot write ${path}: ${reason}`, { path });
  }
}

/** Null for a log that has none, because it starts at power-on. Errors: IO. */
export function readStartSnapshot(directory: string): Uint8Array | null {
  const path = join(directory, START_SNAPSHOT_FILE);
  if (!existsSync(path)) return null;
  return attempt('cannot read', path, () => readFileSync(path));
}
