/**
 * Turns what the machine reports into log: cuts batches, chains them, keeps them.
 *
 * A batch is what one report brings, cut where a batch has to end. It is in the log file before
 * anybody is told of it.
 */

import { present } from '../lib/base/assert.js';
import { cutBatches, encodeBatch } from '../lib/event/batch.js';
import type { LogEntry } from '../lib/event/event.js';
import { sha256 } from '../lib/host/log-store/sha256.js';
import type { MachineConfig } from '../lib/machine/config.js';
import type { NodeMetrics, Tally } from '../lib/metrics/registry.js';
import { LogCounts } from '../lib/node/log-counts.js';
import { newestStep, type LogTail } from '../lib/node/log-tail.js';
import type { PrimaryInput } from '../lib/protocol/primary-contract.js';

type Recorded = Extract<PrimaryInput, { kind: 'recorded' | 'epoch-logged' }>;

export class Recorder {
  private readonly tail: LogTail;
  private readonly counts: LogCounts;
  private readonly recordedBytes: Tally;
  private epoch = 0n;

  constructor(tail: LogTail, metrics: NodeMetrics, config: MachineConfig) {
    this.tail = tail;
    this.counts = new LogCounts(metrics, config);
    this.recordedBytes = metrics.tally('lockstep_log_bytes_total', { direction: 'recorded' });
  }

  /** Appends entries to the log; gives what the core has to be told, in order. */
  record(entries: readonly LogEntry[]): Recorded[] {
    // The socket is written to at the end of this turn; what nobody waits for comes after it.
    setImmediate(() => this.counts.add(entries));
    return cutBatches(entries).flatMap((part) => this.recordBatch(part));
  }

  private recordBatch(entries: readonly LogEntry[]): Recorded[] {
    const first = present(entries[0], 'first entry of a batch');
    const last = present(entries.at(-1), 'last entry of a batch');
    const { event } = first;
    if (event.kind === 'epoch') this.epoch = event.epoch;
    const encoded = encodeBatch(entries, this.epoch, this.tail.lastHash, sha256);
    const about = { recordedNs: process.hrtime.bigint(), step: newestStep(entries) };
    this.tail.append({ ...encoded, firstSeq: first.seq, lastSeq: last.seq, ...about });
    const bytes = encoded.bytes.length;
    this.recordedBytes.sum += bytes;
    const hasOutputMark = entries.some((entry) => entry.event.kind === 'output-mark');
    const { seq: firstSeq } = first;
    const { seq: lastSeq } = last;
    const recorded: Recorded = { kind: 'recorded', firstSeq, lastSeq, bytes, hasOutputMark };
    if (event.kind !== 'epoch') return [recorded];
    return [recorded, { kind: 'epoch-logged', seq: firstSeq, epoch: event.epoch }];
  }
}
