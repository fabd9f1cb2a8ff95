/**
 * Counts log entries and their packed size by kind, and what they say of harts in parallel, for
 * the metrics.
 *
 * The size is what the entry costs in a batch; it is measured by packing a second time, which is
 * cheap beside hashing and sending.
 */

import { ByteWriter } from '../base/bytes.js';
import { EventWriter } from '../event/codec.js';
import type { EventKind, LogEntry } from '../event/event.js';
import type { MachineConfig } from '../machine/config.js';
import { STEAL_CAUSES } from '../metrics/label-values.js';
import type { NodeMetrics } from '../metrics/registry.js';
import { SharingCount, type Sharing } from './sharing-count.js';

export class LogCounts {
  /** What was counted since the metrics were last brought up to date. */
  private readonly counts = new Map<EventKind, { entries: number; bytes: number }>();
  /** Null for harts that take turns: they share without stealing. */
  private readonly sharing: SharingCount | null;
  private published: Sharing | null = null;

  constructor(metrics: NodeMetrics, { schedule, memoryBytes }: MachineConfig) {
    this.sharing = schedule === 'parallel' ? new SharingCount(memoryBytes) : null;
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
      this.sharing?.take(event);
    }
  }

  private publish(metrics: NodeMetrics): void {
    for (const [kind, count] of this.counts) {
      metrics.add('lockstep_log_records_total', { kind }, count.entries);
      metrics.add('lockstep_log_record_bytes_total', { kind }, count.bytes);
    }
    this.counts.clear();
    if (this.sharing !== null) this.publishSharing(metrics, this.sharing.result());
  }

  private publishSharing(metrics: NodeMetrics, now: Sharing): void {
    const before = this.published;
    this.published = now;
    for (const what of STEAL_CAUSES) {
      const kind = what === 'by-device' ? 'byDevice' : what;
      const steals = now.steals[kind] - (before?.steals[kind] ?? 0);
      metrics.add('lockstep_steals_total', { what }, steals);
    }
    const together = now.stepsTogether - (before?.stepsTogether ?? 0);
    const alone = now.stepsAlone - (before?.stepsAlone ?? 0);
    metrics.add('lockstep_parallel_steps_total', { harts: 'together' }, together);
    metrics.add('lockstep_parallel_steps_total', { harts: 'alone' }, alone);
    const hottest = now.hottestPages[0];
    if (hottest === undefined) return;
    metrics.set('lockstep_hottest_page_address', {}, hottest.address);
    metrics.set('lockstep_hottest_page_steals', {}, hottest.steals);
  }
}
