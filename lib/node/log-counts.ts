/**
 * Counts log entries and their packed size by kind, for the metrics.
 *
 * The size is what the entry costs in a batch; it is measured by packing a second time, which is
 * cheap beside hashing and sending.
 */

import { ByteWriter } from '../base/bytes.js';
import { EventWriter } from '../event/codec.js';
import type { EventKind, LogEntry } from '../event/event.js';
import type { NodeMetrics } from '../metrics/registry.js';

export class LogCounts {
  /** What was counted since the metrics were last brought up to date. */
  private readonly counts = new Map<EventKind, { entries: number; bytes: number }>();

  constructor(metrics: NodeMetrics) {
    metrics.onSample(() => this.publish(metrics));
  }

  /** Entries of one batch. */
  add(entries: readonly LogEntry[]): void {
    const out = new ByteWriter();
    const writer = new EventWriter(out);
    for (const { event } of entries) {
      const before = out.length;
      writer.write(event);
      const count = this.counts.get(event.kind) ?? { entries: 0, bytes: 0 };
      count.entries += 1;
      count.bytes += out.length - before;
      this.counts.set(event.kind, count);
    }
  }

  private publish(metrics: NodeMetrics): void {
    for (const [kind, count] of this.counts) {
      metrics.add('lockstep_log_records_total', { kind }, count.entries);
      metrics.add('lockstep_log_record_bytes_total', { kind }, count.bytes);
    }
    this.counts.clear();
  }
}
