/**
 * What the machine reports, on its way into log and gate.
 *
 *   entries, outputs --> gathered --> recorder --> flush order --> core and gate
 *
 * While a backup has something to acknowledge, reports gather for a moment and become one batch:
 * each batch costs a hash, a message and an answer, whatever is in it, and what is sent while one
 * is on its way rarely leaves earlier for it. Nothing gathers where no backup is.
 *
 * Invariant: reports are taken in their order, and of what was gathered the entries first.
 */

import type { LogEntry } from '../lib/event/event.js';
import type { HartListener } from '../lib/host/hart-listener.js';
import type { MachineStop } from '../lib/machine/machine.js';
import type { PrimaryInput } from '../lib/protocol/primary-contract.js';
import { CoreDriver } from '../lib/node/core-driver.js';
import type { ConsoleHub } from './console.js';
import type { FlushOrder } from './flush-order.js';
import type { OutputGate } from './gate.js';
import type { Recorder } from './recorder.js';

/** Longer than an answer takes on a local network; output waits that much longer at most. */
const GATHER_MS = 2;
/** Entries that are enough for a batch. */
const GATHER_ENTRIES = 256;

export interface IntakeOptions {
  readonly recorder: Pick<Recorder, 'record'>;
  readonly order: Pick<FlushOrder, 'run'>;
  readonly gate: Pick<OutputGate, 'holdOutput' | 'holdInput'>;
  readonly consoles: Pick<ConsoleHub, 'inputLogged'>;
  readonly give: (input: PrimaryInput) => void;
  /** The log has grown. */
  readonly onLogged: () => void;
  readonly onStopped: (stop: MachineStop) => void;
  /** Whether a backup has something to acknowledge. */
  readonly awaitsAck: () => boolean;
  readonly fail: (error: unknown) => void;
}

export class ReportIntake {
  readonly listener: HartListener;
  private readonly options: IntakeOptions;
  private entries: LogEntry[] = [];
  /** What is to be done once the entries are in the log. */
  private rest: (() => void)[] = [];
  private timer: NodeJS.Timeout | null = null;
  private isClosed = false;

  constructor(options: IntakeOptions) {
    this.options = options;
    const { gate, consoles, give } = options;
    const now = (): number => CoreDriver.nowMs();
    this.listener = {
      onEntries: (entries) => {
        if (this.isClosed) return;
        for (const entry of entries) this.entries.push(entry);
        return this.mayWait(entries) ? this.wait() : this.flush();
      },
      onOutput: (output, atNs) =>
        this.act(() => {
          const onTheWayMs = Number(process.hrtime.bigint() - atNs) / 1e6;
          gate.holdOutput(output, now() - onTheWayMs, now());
          give({ kind: 'output', seq: output.seq, bytes: output.bytes.length });
        }),
      onInputLogged: (input) =>
        void this.act(() => {
          consoles.inputLogged(input.client, input.sequence);
          gate.holdInput(input, now());
        }),
      onStopped: (stop, seq) => {
        this.rest.push(() => {
          options.onStopped(stop);
          give({ kind: 'guest-stopped', seq });
        });
        void this.flush();
      },
      onFatal: (error) => options.fail(error),
    };
  }

  /** A backup has answered. */
  acked(): void {
    if (this.entries.length > 0 && !this.options.awaitsAck()) void this.flush();
  }

  /**
   * Everything that was reported is in the log when this returns. A log that takes no more is
   * `fail`'s matter, whoever asked: not the machine alone does.
   */
  flush(): void | Promise<void> {
    if (this.isClosed) return;
    const { entries, rest } = this;
    this.forget();
    try {
      return this.take(entries, rest);
    } catch (error) {
      this.options.fail(error);
    }
  }

  /** What was gathered is lost, as in a crash; nothing is taken any more. */
  close(): void {
    this.isClosed = true;
    this.forget();
  }

  private take(entries: readonly LogEntry[], rest: readonly (() => void)[]): void | Promise<void> {
    const { recorder, order, give, onLogged } = this.options;
    const recorded = entries.length === 0 ? [] : recorder.record(entries);
    return order.run(() => {
      for (const input of recorded) give(input);
      if (recorded.length > 0) onLogged();
      for (const act of rest) act();
    });
  }

  private forget(): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
    this.entries = [];
    this.rest = [];
  }

  /** After the entries that came before it. */
  private act(act: () => void): void | Promise<void> {
    if (this.isClosed) return;
    if (this.entries.length === 0) return this.options.order.run(act);
    this.rest.push(act);
  }

  private mayWait(entries: readonly LogEntry[]): boolean {
    if (this.entries.length >= GATHER_ENTRIES || !this.options.awaitsAck()) return false;
    // Who copies the machine begins with a batch of its own after the point of the copy.
    return entries.every(({ event }) => event.kind !== 'control');
  }

  private wait(): void {
    this.timer ??= setTimeout(() => void this.flush(), GATHER_MS);
  }
}
