/**
 * Small logs on disk for tests of the log store and of the `log` commands.
 */

import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { encodeBatch, type EncodedBatch } from '../../../../lib/event/batch.js';
import type { LogEntry } from '../../../../lib/event/event.js';
import { startOfChain, type LogMeta } from '../../../../lib/host/log-store/meta.js';
import { LogReader, type LogEnd } from '../../../../lib/host/log-store/reader.js';
import { sha256 } from '../../../../lib/host/log-store/sha256.js';
import { LogWriter, type LogPosition } from '../../../../lib/host/log-store/writer.js';
import { Random, sampleEntries } from '../../event/sample.js';

export const DIGEST = '5a'.repeat(32);

export const META: LogMeta = {
  machineDigest: DIGEST,
  config: {
    memoryBytes: 64 * 1024 * 1024,
    harts: 1,
    schedule: 'turns',
    append: 'console=ttyS0 root="ä"',
    initialRate: (1n << 32n) / 10n,
    rtcStartSeconds: 1_700_000_000n,
    rngSeed: new Uint8Array([1, 2, 3]),
    network: null,
    disks: [],
  },
  images: [{ role: 'kernel', path: '/images/kernel.elf', sha256: 'ab'.repeat(32) }],
  start: startOfChain(DIGEST),
};

/** A directory of its own for a test, removed after it. */
export function temporaryDirectory(t: ExecutionContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'lockstep-log-'));
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** The next batch of a log that stands at `position`, with random events. */
export function nextBatch(
  position: LogPosition,
  seed: number,
  count = 4,
): { readonly encoded: EncodedBatch; readonly entries: LogEntry[] } {
  const entries = sampleEntries(new Random(seed), count, position.nextSeq);
  return { encoded: encodeBatch(entries, 1n, position.hash, sha256), entries };
}

export interface SmallLog {
  readonly directory: string;
  /** Entries of each batch. */
  readonly batches: readonly LogEntry[][];
}

/** A log of `count` batches, closed. Segments of 600 bytes hold about two batches each. */
export async function smallLog(
  t: ExecutionContext,
  count: number,
  segmentBytes = 600,
): Promise<SmallLog> {
  const directory = join(temporaryDirectory(t), 'log');
  const writer = LogWriter.create(directory, META, { flush: 'memory', segmentBytes });
  const batches: LogEntry[][] = [];
  for (let index = 0; index < count; index++) {
    const { encoded, entries } = nextBatch(writer.position, 100 + index);
    writer.append(encoded);
    batches.push(entries);
  }
  await writer.close();
  return { directory, batches };
}

export interface ReadLog {
  readonly batches: LogEntry[][];
  readonly end: LogEnd;
}

export function readLog(path: string): ReadLog {
  const batches: LogEntry[][] = [];
  const iterator = LogReader.open(path).batches();
  for (;;) {
    const step = iterator.next();
    if (step.done === true) return { batches, end: step.value };
    batches.push([...step.value.batch.entries]);
  }
}

/** Files of a log with their content, to restore between mutations. */
export function readFiles(directory: string): Map<string, Uint8Array> {
  if (!existsSync(directory)) return new Map();
  const names = readdirSync(directory).sort();
  return new Map(names.map((name) => [name, readFileSync(join(directory, name))]));
}
