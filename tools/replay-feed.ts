/**
 * Feeds a replaying host from a log on disk, not faster than it replays, and shows on a terminal
 * how far it is.
 */

import type { LogEntry } from '../lib/event/event.js';
import type { HartHost, HartListener, HartProgress } from '../lib/host/hart-host.js';
import type { BatchSource } from './continued-log.js';

/** Entries given to the host and not yet replayed: enough to keep it busy, little memory. */
const WINDOW_ENTRIES = 50_000n;
const LINE_INTERVAL_MS = 200;

export class ReplayFeed {
  readonly listener: HartListener;
  wallSeconds = 0;
  tornBytes = 0;
  private readonly source: BatchSource;
  private readonly toSeq: bigint | null;
  private readonly shows = process.stderr.isTTY;
  /** Epoch of the last entry given to the host; 0 before the first. */
  lastEpoch = 0n;
  private fedSeq = 0n;
  private appliedSeq = 0n;
  /** The guest has stopped, or the step asked for is reached: no more entries will be taken. */
  private rests = false;
  private failure: Error | null = null;
  /** State checks given to the host, by entry. */
  private readonly checks: bigint[] = [];
  private wakeUp: () => void = () => undefined;
  private lastLineMs = 0;

  /** Null replays all there is. */
  constructor(source: BatchSource, toSeq: bigint | null) {
    this.source = source;
    this.toSeq = toSeq;
    this.listener = {
      onProgress: (progress) => this.take(progress),
      onStopped: () => this.rest(),
      onReached: () => this.rest(),
      onDiverged: (error) => this.fail(error),
      onFatal: (error) => this.fail(error),
    };
  }

  /** Resolves when everything asked for is replayed. Errors: DIVERGED, BAD_LOG, IO. */
  async run(host: HartHost): Promise<void> {
    const startMs = performance.now();
    const batches = this.source.batches();
    for (let step = batches.next(); ; step = batches.next()) {
      if (step.done === true) {
        this.tornBytes = step.value.tornBytes;
        break;
      }
      const entries = this.wanted(step.value.batch.entries);
      if (entries.length === 0) break;
      this.feed(host, entries);
      await this.until(() => this.rests || this.fedSeq - this.appliedSeq < WINDOW_ENTRIES);
      if (this.rests) break;
    }
    await this.until(() => this.rests || this.appliedSeq === this.fedSeq);
    this.wallSeconds = (performance.now() - startMs) / 1000;
  }

  /** State checks at or before an entry. */
  checksUpTo(seq: bigint): number {
    return this.checks.filter((check) => check <= seq).length;
  }

  close(): void {
    if (this.lastLineMs > 0) process.stderr.write('\r\x1b[K');
  }

  private wanted(entries: readonly LogEntry[]): readonly LogEntry[] {
    const { toSeq } = this;
    return toSeq === null ? entries : entries.filter(({ seq }) => seq <= toSeq);
  }

  private feed(host: HartHost, entries: readonly LogEntry[]): void {
    this.fedSeq = entries.at(-1)?.seq ?? this.fedSeq;
    for (const { seq, event } of entries) {
      if (event.kind === 'state-hash') this.checks.push(seq);
      if (event.kind === 'epoch') this.lastEpoch = event.epoch;
    }
    host.feed(entries);
  }

  private take(progress: HartProgress): void {
    this.appliedSeq = progress.seq;
    this.wakeUp();
    const nowMs = performance.now();
    if (!this.shows || nowMs - this.lastLineMs < LINE_INTERVAL_MS) return;
    this.lastLineMs = nowMs;
    const step = progress.steps.reduce((sum, steps) => sum + steps, 0n);
    process.stderr.write(`\rlockstep: entry ${progress.seq}, step ${step}\x1b[K`);
  }

  private rest(): void {
    this.rests = true;
    this.wakeUp();
  }

  private fail(error: Error): void {
    this.failure ??= error;
    this.wakeUp();
  }

  private async until(condition: () => boolean): Promise<void> {
    for (;;) {
      if (this.failure !== null) throw this.failure;
      if (condition()) return;
      await new Promise<void>((resolve) => {
        this.wakeUp = resolve;
      });
    }
  }
}
