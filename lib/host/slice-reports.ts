/**
 * Posts what a recording hart has to tell: at once where somebody outside waits for it, and in
 * larger pieces where nobody does, or where the listener is busy anyway.
 */

import { performance } from 'node:perf_hooks';
import type { SliceStatus } from '../session/recorded.js';
import type { RecordSession } from '../session/record-session.js';
import { CONTROL, type ControlBlock, type Report } from './hart-messages.js';
import { ReportBatch } from './report-batch.js';

/** Reports without output or acknowledgements wait for company no longer than this. */
const REPORT_INTERVAL_MS = 5;
/** Over budget the worker looks at its mail this often. */
const BLOCKED_WAIT_MS = 20;

export class SliceReports {
  private readonly words: Int32Array;
  private readonly post: (report: Report) => void;
  private readonly budgetBytes: number;
  private readonly batch = new ReportBatch();
  private lastMs = 0;

  /** More than `budgetBytes` that the listener has not consumed make the hart wait. */
  constructor(control: ControlBlock, budgetBytes: number, post: (report: Report) => void) {
    this.words = control.words;
    this.budgetBytes = budgetBytes;
    this.post = post;
  }

  /** Posts what was recorded, unless it can wait for more; an `order` waits for nothing. */
  report(session: RecordSession, status: SliceStatus['kind'] | 'order'): void {
    this.batch.add(session.takeRecorded());
    if (this.batch.isEmpty()) return;
    if (performance.now() - this.lastMs < REPORT_INTERVAL_MS && this.canWait(status)) return;
    this.flush();
  }

  /** Posts what waits. */
  flush(): void {
    if (this.batch.isEmpty()) return;
    this.lastMs = performance.now();
    const { costBytes } = this.batch;
    // Happens before the message: the listener subtracts only what was added.
    Atomics.add(this.words, CONTROL.unconsumedBytes, costBytes);
    this.post({ kind: 'slice', costBytes, atNs: process.hrtime.bigint(), ...this.batch.take() });
  }

  /** Time until what was recorded must be posted; Infinity if there is nothing. */
  dueMs(): number {
    if (this.batch.isEmpty()) return Infinity;
    return Math.max(0, this.lastMs + REPORT_INTERVAL_MS - performance.now());
  }

  isOverBudget(): boolean {
    return this.unconsumedBytes() > this.budgetBytes;
  }

  waitForListener(): void {
    const unconsumed = this.unconsumedBytes();
    if (unconsumed <= this.budgetBytes) return;
    Atomics.wait(this.words, CONTROL.unconsumedBytes, unconsumed, BLOCKED_WAIT_MS);
  }

  /**
   * Output waits only while the guest goes on and the listener is busy with what was posted before:
   * the slower the listener, the more it gets at a time.
   */
  private canWait(status: SliceStatus['kind'] | 'order'): boolean {
    if (status === 'parked') return !this.batch.isUrgent();
    if (status !== 'running') return false;
    return !this.batch.isUrgent() || this.unconsumedBytes() > 0;
  }

  private unconsumedBytes(): number {
    return Atomics.load(this.words, CONTROL.unconsumedBytes);
  }
}
