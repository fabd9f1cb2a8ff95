/**
 * The log of a node on disk: one directory for each run of log that it holds without a gap.
 *
 * A node that is given a snapshot begins another directory, since its log then starts elsewhere,
 * and keeps the snapshot there: each directory can be replayed by itself. Directories are
 * numbered, so nothing of an earlier life is touched.
 */

import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { LockstepError } from '../base/error.js';
import type { LogStart } from '../host/log-store/meta.js';
import { writeStartSnapshot } from '../host/log-store/start-snapshot.js';
import { LogWriter } from '../host/log-store/writer.js';
import type { LogSink } from './log-tail.js';
import type { MachineSpec } from './machine-spec.js';
import type { NodeStorage } from './node-storage.js';

export interface LogFiles extends LogSink {
  readonly directory: string;
  /** Resolves when everything appended so far is as safe as the acknowledgements say. */
  flush(): Promise<void>;
  close(): Promise<void>;
}

/** Starts the next log in the state directory. Errors: IO. */
export function createLogFiles(
  { stateDir, ack }: NodeStorage,
  spec: MachineSpec,
  machineDigest: string,
  start: LogStart,
): LogFiles {
  const directory = join(stateDir, `log-${nextNumber(stateDir)}`);
  const { config, imageFiles: images } = spec;
  const meta = { machineDigest, config, images, start };
  const writer = LogWriter.create(directory, meta, { flush: ack });
  return {
    directory,
    append: (batch) => writer.append(batch),
    flush: () => writer.flush(),
    close: () => writer.close(),
  };
}

/** The same for a log that goes on from a snapshot, which is kept in its directory. Errors: IO. */
export function createLogFilesFrom(
  snapshot: Uint8Array,
  storage: NodeStorage,
  spec: MachineSpec,
  machineDigest: string,
  start: LogStart,
): LogFiles {
  const files = createLogFiles(storage, spec, machineDigest, start);
  writeStartSnapshot(files.directory, [snapshot], storage.ack);
  return files;
}

function nextNumber(stateDir: string): number {
  try {
    mkdirSync(stateDir, { recursive: true, mode: 0o700 });
    const numbers = readdirSync(stateDir).map((name) => Number(/^log-(\d{1,9})$/.exec(name)?.[1]));
    return Math.max(0, ...numbers.filter((number) => !Number.isNaN(number))) + 1;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new LockstepError('IO', `the state directory ${stateDir} can't be read: ${reason}`);
  }
}
