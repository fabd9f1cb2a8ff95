/**
 * The machine that a log starts from, where that is not one at power-on: `start.snapshot` beside
 * the segments.
 *
 * A backup that joined a running machine, and a primary that was restored, have logs that begin
 * in the middle of a life. With the snapshot in it a log directory is complete: it can be replayed
 * without the logs of the nodes that came before. The snapshot has its own checksum and names its
 * machine; whoever restores it checks both.
 */

import { closeSync, existsSync, fsyncSync, openSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { attempt } from './failure.js';
import type { FlushMode } from './writer.js';

export const START_SNAPSHOT_FILE = 'start.snapshot';

/**
 * Writes the parts of a snapshot, one after the other; the file is as safe as `flush` says when
 * this returns. Errors: IO.
 */
export function writeStartSnapshot(
  directory: string,
  parts: Iterable<Uint8Array>,
  flush: FlushMode,
): void {
  const path = join(directory, START_SNAPSHOT_FILE);
  attempt('cannot write', path, () => {
    const fd = openSync(path, 'wx', 0o600);
    try {
      for (const part of parts) {
        for (let at = 0; at < part.length;) at += writeSync(fd, part, at);
      }
      if (flush === 'durable') fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
  });
}

/** Null for a log that has none, because it starts at power-on. Errors: IO. */
export function readStartSnapshot(directory: string): Uint8Array | null {
  const path = join(directory, START_SNAPSHOT_FILE);
  if (!existsSync(path)) return null;
  return attempt('cannot read', path, () => readFileSync(path));
}
