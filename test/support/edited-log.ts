/**
 * A log on disk read, changed and written again as a sound log: what a test does to show that
 * replay itself, and not only the chain, finds the change.
 */

import { cutBatches, encodeBatch } from '../../lib/event/batch.js';
import type { LogEntry, LogEvent } from '../../lib/event/event.js';
import { present } from '../../lib/base/assert.js';
import type { LogMeta } from '../../lib/host/log-store/meta.js';
import { LogReader } from '../../lib/host/log-store/reader.js';
import { sha256 } from '../../lib/host/log-store/sha256.js';
import { LogWriter } from '../../lib/host/log-store/writer.js';

export interface WholeLog {
  readonly meta: LogMeta;
  readonly entries: readonly LogEntry[];
}

export function readLog(directory: string): WholeLog {
  const reader = LogReader.open(directory);
  const entries = [...reader.batches()].flatMap(({ batch }) => batch.entries);
  return { meta: present(reader.meta, 'meta of a log'), entries };
}

/** Writes events of one epoch as a new log with numbers from 1. */
export async function writeLog(
  directory: string,
  meta: LogMeta,
  events: readonly LogEvent[],
): Promise<void> {
  const writer = LogWriter.create(directory, meta, { flush: 'memory' });
  const entries = events.map((event, index) => ({ seq: BigInt(index + 1), event }));
  for (const part of cutBatches(entries)) {
    writer.append(encodeBatch(part, 1n, writer.position.hash, sha256));
  }
  await writer.close();
}

/** `event` a step later (or earlier); null for one that stands at no step. */
export function shifted(event: LogEvent, delta: bigint): LogEvent | null {
  if (event.kind === 'epoch') return null;
  if (event.kind !== 'horizon') return { ...event, step: event.step + delta };
  return { ...event, steps: event.steps.map((step) => step + delta) };
}
