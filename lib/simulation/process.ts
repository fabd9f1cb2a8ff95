/**
 * One life of one operating-system process: it can be stopped, continued and killed, and its
 * clock starts at an arbitrary time and runs a little too fast or too slow.
 *
 * What arrives while it is stopped waits in the kernel, in order. A killed process never acts
 * again; its successor on the same node is another `Process`.
 */

import type { Agenda } from './agenda.js';

/** A timer never rings early, not even by a rounding of the clock's arithmetic. */
const TIMER_GRAIN_MS = 0.001;

export class Process {
  readonly node: number;
  readonly life: number;
  readonly name: string;
  isAlive = true;
  isPaused = false;
  /** World time at which it last began to run (start or SIGCONT). */
  runningSinceMs: number;
  private waiting: (() => void)[] = [];
  private readonly agenda: Agenda;
  private readonly clockOffsetMs: number;
  private readonly clockRate: number;
  private timerAtMs = Infinity;
  private timerPlan = 0;
  private readonly endings: (() => void)[] = [];

  constructor(
    agenda: Agenda,
    identity: { readonly node: number; readonly life: number },
    clock: { readonly offsetMs: number; readonly rate: number },
  ) {
    this.agenda = agenda;
    this.node = identity.node;
    this.life = identity.life;
    this.name = `n${identity.node}.${identity.life}`;
    this.clockOffsetMs = clock.offsetMs;
    this.clockRate = clock.rate;
    this.runningSinceMs = agenda.nowMs;
  }

  get isRunning(): boolean {
    return this.isAlive && !this.isPaused;
  }

  /** The process's own monotonic clock. */
  nowMs(): number {
    return (this.agenda.nowMs + this.clockOffsetMs) * this.clockRate;
  }

  /** Acts after `delayMs` of world time, unless dead; when stopped, as soon as it continues. */
  after(delayMs: number, act: () => void): void {
    this.agenda.after(delayMs, () => this.act(act));
  }

  act(act: () => void): void {
    if (!this.isAlive) return;
    if (this.isPaused) this.waiting.push(act);
    else act();
  }

  /** Acts first thing after SIGCONT. */
  actFirst(act: () => void): void {
    this.waiting.unshift(act);
  }

  /**
   * The one timer: rings at `ownMs` or earlier, and `ring` is told by how much it comes late. A
   * later time than the one set is not set anew: whoever hears it ring too early sets it again.
   */
  wakeAt(ownMs: number, ring: (lateMs: number) => void): void {
    if (ownMs >= this.timerAtMs) return;
    this.timerAtMs = ownMs;
    this.timerPlan += 1;
    const plan = this.timerPlan;
    const exactMs = ownMs / this.clockRate - this.clockOffsetMs;
    const dueMs = Math.max(this.agenda.nowMs, exactMs) + TIMER_GRAIN_MS;
    this.agenda.at(dueMs, () => {
      if (plan !== this.timerPlan) return;
      const wake = (): void => {
        if (plan !== this.timerPlan) return;
        this.timerAtMs = Infinity;
        ring(lateness(this.nowMs() - ownMs));
      };
      // An event loop that continues serves its timers before its sockets.
      if (this.isPaused) this.actFirst(wake);
      else this.act(wake);
    });
  }

  pause(): void {
    if (this.isAlive) this.isPaused = true;
  }

  resume(): void {
    if (!this.isAlive || !this.isPaused) return;
    this.isPaused = false;
    this.runningSinceMs = this.agenda.nowMs;
    while (this.waiting.length > 0 && this.isRunning) this.waiting.shift()?.();
  }

  /** Tells when the process ends, however it ends. */
  onEnd(ending: () => void): void {
    this.endings.push(ending);
  }

  end(): void {
    if (!this.isAlive) return;
    this.isAlive = false;
    this.waiting = [];
    for (const ending of this.endings) ending();
  }
}

/** By how much a timer is late, beyond its grain. */
function lateness(overdueMs: number): number {
  return overdueMs <= 2 * TIMER_GRAIN_MS ? 0 : overdueMs;
}
