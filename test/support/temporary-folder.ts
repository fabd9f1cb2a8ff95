/**
 * Folders for temporary files that are gone when the process is, also where a signal ends it.
 *
 * Only SIGKILL, which nobody hears of, leaves them behind.
 */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const folders = new Set<string>();

/** With their numbers, to which a shell adds 128. */
const SIGNALS = [
  ['SIGHUP', 1],
  ['SIGINT', 2],
  ['SIGTERM', 15],
] as const;

process.on('exit', () => {
  for (const folder of folders) remove(folder);
});

/** A new folder; `name` tells people what it is for. */
export function makeTemporaryFolder(name: string): string {
  const folder = mkdtempSync(join(tmpdir(), `lockstep-${name}-`));
  folders.add(folder);
  return folder;
}

export function removeTemporaryFolder(folder: string): void {
  folders.delete(folder);
  remove(folder);
}

/** The folder stays, for somebody who wants to look at it. */
export function keepTemporaryFolder(folder: string): void {
  folders.delete(folder);
}

/** From here on signals end this process in order: what waits for its exit is done. */
export function exitOnSignals(): void {
  for (const [name, number] of SIGNALS) {
    process.once(name, () => process.exit(128 + number));
  }
}

function remove(folder: string): void {
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
}
