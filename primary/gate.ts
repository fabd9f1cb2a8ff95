/**
 * The gate: output and answers to input wait here until the log that explains them is committed.
 *
 * The core decides up to which entry things may leave; the gate holds the things. It is closed
 * until `open`, because a node that takes over first sends what its predecessor may not have.
 *
 * Invariant: nothing passes whose entry is beyond the last release; what passes keeps its order.
 */

import type { InputLoggedReport, OutputReport } from '../lib/host/hart-messages.js';
import type { NodeMetrics } from '../lib/metrics/registry.js';

export interface GateSink {
  /** These bytes may leave. */
  publish(output: OutputReport): void;
  /** The log has this input, and whoever must have that part of the log has it. */
  inputCommitted(input: InputLoggedReport): void;
}

interface Held<T> {
  readonly seq: bigint;
  readonly item: T;
  readonly sinceMs: number;
}

export class OutputGate {
  private readonly sink: GateSink;
  private readonly metrics: NodeMetrics;
  private readonly outputs: Held<OutputReport>[] = [];
  private readonly inputs: Held<InputLoggedReport>[] = [];
  private readonly heldBytes = new Map<OutputReport['stream'], number>();
  private releasedSeq = 0n;
  private isOpen = false;

  constructor(sink: GateSink, metrics: NodeMetrics) {
    this.sink = sink;
    this.metrics = metrics;
    metrics.onSample(() => {
      for (const [stream, bytes] of this.heldBytes) {
        metrics.set('lockstep_output_held_bytes', { stream }, bytes);
      }
    });
  }

  /** Bytes of output that wait. */
  get totalHeldBytes(): number {
    let total = 0;
    for (const bytes of this.heldBytes.values()) total += bytes;
    return total;
  }

  /** The hart marked it at `sinceMs`, on the clock of `nowMs`. */
  holdOutput(output: OutputReport, sinceMs: number, nowMs: number): void {
    this.outputs.push({ seq: output.seq, item: output, sinceMs });
    this.count(output.stream, output.bytes.length);
    this.pass(nowMs);
  }

  holdInput(input: InputLoggedReport, nowMs: number): void {
    this.inputs.push({ seq: input.seq, item: input, sinceMs: nowMs });
    this.pass(nowMs);
  }

  /** Lets pass what belongs to entries up to `throughSeq`. */
  release(throughSeq: bigint, nowMs: number): void {
    if (throughSeq > this.releasedSeq) this.releasedSeq = throughSeq;
    this.pass(nowMs);
  }

  open(nowMs: number): void {
    this.isOpen = true;
    this.pass(nowMs);
  }

  /** Nothing passes any more: this node may not speak. */
  close(): void {
    this.isOpen = false;
    this.outputs.length = 0;
    this.inputs.length = 0;
    this.heldBytes.clear();
  }

  private pass(nowMs: number): void {
    if (!this.isOpen) return;
    for (const { item, sinceMs } of this.takeReleased(this.outputs)) {
      const { stream } = item;
      this.count(stream, -item.bytes.length);
      this.sink.publish(item);
      const delay = (nowMs - sinceMs) / 1000;
      this.metrics.observe('lockstep_output_commit_delay_seconds', { stream }, delay);
      this.metrics.add('lockstep_output_released_bytes_total', { stream }, item.bytes.length);
    }
    for (const { item } of this.takeReleased(this.inputs)) this.sink.inputCommitted(item);
  }

  private takeReleased<T>(queue: Held<T>[]): Held<T>[] {
    let count = 0;
    for (const { seq } of queue) {
      if (seq > this.releasedSeq) break;
      count += 1;
    }
    return count === 0 ? [] : queue.splice(0, count);
  }

  private count(stream: OutputReport['stream'], bytes: number): void {
    this.heldBytes.set(stream, (this.heldBytes.get(stream) ?? 0) + bytes);
  }
}
