/**
 * Runs a protocol core against real time: one queue of inputs, one at a time, the effects of each
 * carried out in order before the next.
 *
 * Callbacks of sockets, workers and timers only `give`; nothing acts inside a callback. A timer
 * gives the core its tick when `wakeAtMs()` has come, and says by how much it is late: in that
 * time this process did not run, so the silence of a peer proves nothing.
 *
 * Invariant: no input is given while an effect of another is being carried out.
 */

import { performance } from 'node:perf_hooks';

/** What `PrimaryCore` and `BackupCore` have in common. */
export interface ProtocolCore<Input, Effect> {
  step(input: Input, nowMs: number): readonly Effect[];
  wakeAtMs(): number;
}

export interface CoreDriverOptions<Input, Effect> {
  readonly core: ProtocolCore<Input, Effect>;
  /** Carries out one effect. May give further inputs; they wait. */
  perform(effect: Effect): void;
  /** The input that says that time passed. */
  tick(loopLagMs: number): Input;
  /** An assertion or an I/O failure; the driver has stopped. */
  onFailure(error: unknown): void;
}

/**
 * A longer wait is done in parts of this length, so that a stall of the process shows as the
 * lateness of a part whenever it happens, not only when it covers the end of the wait.
 */
const MAX_PART_MS = 25;

export class CoreDriver<Input, Effect> {
  private readonly options: CoreDriverOptions<Input, Effect>;
  private readonly inputs: Input[] = [];
  private running = false;
  private stopped = false;
  private timer: NodeJS.Timeout | null = null;
  private timerAtMs = Infinity;

  constructor(options: CoreDriverOptions<Input, Effect>) {
    this.options = options;
  }

  /** Monotonic time in milliseconds, as the core sees it. */
  static nowMs(): number {
    return performance.now();
  }

  give(input: Input): void {
    if (this.stopped) return;
    this.inputs.push(input);
    if (this.running) return;
    this.running = true;
    try {
      for (let next = this.inputs.shift(); next !== undefined; next = this.inputs.shift()) {
        this.step(next);
      }
    } catch (error) {
      this.stop();
      this.options.onFailure(error);
    } finally {
      this.running = false;
    }
    this.schedule();
  }

  /** Drops what waits; later inputs are ignored. */
  stop(): void {
    this.stopped = true;
    this.inputs.length = 0;
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
  }

  private step(input: Input): void {
    const effects = this.options.core.step(input, CoreDriver.nowMs());
    for (const effect of effects) {
      if (this.stopped) return;
      this.options.perform(effect);
    }
  }

  private schedule(): void {
    if (this.stopped) return;
    const wakeAtMs = this.options.core.wakeAtMs();
    // A timer that fires somewhat early is cheaper than a new timer for each input.
    if (this.timer !== null && this.timerAtMs <= wakeAtMs) return;
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
    this.timerAtMs = Infinity;
    if (wakeAtMs === Infinity) return;
    const nowMs = CoreDriver.nowMs();
    const delayMs = Math.min(MAX_PART_MS, Math.max(0, Math.ceil(wakeAtMs - nowMs)));
    const dueMs = nowMs + delayMs;
    this.timerAtMs = dueMs;
    this.timer = setTimeout(() => this.wake(dueMs), delayMs);
  }

  private wake(dueMs: number): void {
    this.timer = null;
    this.timerAtMs = Infinity;
    this.give(this.options.tick(Math.max(0, CoreDriver.nowMs() - dueMs)));
  }
}
