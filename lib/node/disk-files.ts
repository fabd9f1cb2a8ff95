/**
 * Where a node keeps what the guest writes to its disks: overlays in a folder of the state
 * directory, one folder for each machine that the node builds, or files without a name.
 *
 * A machine begins with empty overlays, whether it powers on or is restored: a snapshot brings the
 * blocks that differ from the base image.
 */

import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { attempt } from '../host/log-store/failure.js';
import type { DiskFiles } from '../host/overlay-file.js';
import type { MachineSpec } from './machine-spec.js';
import type { NodeStorage } from './node-storage.js';

const FOLDER = /^disks-(\d{1,9})$/;

/**
 * Highest number given to a folder by this process. A machine that is removed late must not take
 * the folder of its successor along, so no number is given twice.
 */
let lastNumber = 0;

export interface NodeDisks {
  readonly files: readonly DiskFiles[];
  /** Null where the overlays have no name. */
  readonly folder: string | null;
}

/** Names the files for the next machine. Errors: IO. */
export function createNodeDisks(spec: MachineSpec, storage: NodeStorage | null): NodeDisks {
  const { disks } = spec.config;
  const folder = disks.length === 0 || storage === null ? null : nextFolder(storage.stateDir);
  const files = disks.map(({ sizeBytes, sha256 }, index) => ({
    base: spec.diskBases[index] ?? '',
    sizeBytes,
    sha256,
    overlay: folder === null ? null : join(folder, `disk-${index}.overlay`),
    goesOn: false,
    isDurable: storage?.ack === 'durable',
  }));
  return { files, folder };
}

/** The machine is replaced by another: nobody needs what it had written. */
export function removeNodeDisks({ folder }: NodeDisks): void {
  if (folder === null) return;
  attempt('cannot remove', folder, () => rmSync(folder, { recursive: true, force: true }));
}

function nextFolder(stateDir: string): string {
  return attempt('cannot create a folder in', stateDir, () => {
    mkdirSync(stateDir, { recursive: true, mode: 0o700 });
    const numbers = readdirSync(stateDir).map((name) => Number(FOLDER.exec(name)?.[1] ?? 0));
    lastNumber = Math.max(lastNumber, ...numbers) + 1;
    const folder = join(stateDir, `disks-${lastNumber}`);
    mkdirSync(folder, { mode: 0o700 });
    return folder;
  });
}
