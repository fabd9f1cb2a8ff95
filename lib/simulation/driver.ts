/**
 * Runs one protocol core in a simulated process: one queue of inputs, effects done in order, one
 * timer. A fault can stop or kill the process between any two effects.
 */

import { assert } from '../base/assert.js';
import type { Process } from './process.js';
import type { Surroundings } from './surroundings.js';

/** After these a core has nothing left to do. */
const LAST_EFFECTS: readonly string[] = ['fence', 'stop', 'halt', 'become-primary'];

/** What both cores have in common. */
export interface Core<Input, Effect> {
  step(input: Input, nowMs: number): Effect[];
  wakeAtMs(): number;
}

export class Driver<Input, Effect extends { readonly kind: string }> {
  private readonly process: Process;
  private readonly surroundings: Surroundings;
  private readonly core: Core<Input, Effect>;
  private readonly perform: (effect: Effect) => void;
  private readonly tick: (lateMs: number) => Input;
  private inbox: Input[] = [];
  private effects: Effect[] = [];
  private isPumping = false;
  private isOver = false;

  constructor(options: {
    readonly process: Process;
    readonly surroundings: Surroundings;
    readonly core: Core<Input, Effect>;
    readonly perform: (effect: Effect) => void;
    readonly tick: (lateMs: number) => Input;
  }) {
    this.process = options.process;
    this.surroundings = options.surroundings;
    this.core = options.core;
    this.perform = options.perform;
    this.tick = options.tick;
  }

  give(input: Input): void {
    this.inbox.push(input);
    this.pump();
  }

  /** Nothing more is done; the process goes on with another core, or ends. */
  end(): void {
    this.isOver = true;
  }

  private pump(): void {
    if (this.isPumping) return;
    this.isPumping = true;
    while (!this.isOver && this.process.isRunning) {
      const effect = this.effects.shift();
      if (effect === undefined) {
        const input = this.inbox.shift();
        if (input === undefined) break;
        this.effects = this.core.step(input, this.process.nowMs());
        continue;
      }
      if (!this.surroundings.mayPerform(this.process, effect.kind)) {
        this.effects.unshift(effect);
        if (this.process.isPaused) this.process.actFirst(() => this.pump());
        break;
      }
      this.perform(effect);
      if (LAST_EFFECTS.includes(effect.kind) && this.effects.length > 0) {
        this.surroundings.violation(`${this.process.name} does more after ${effect.kind}`);
      }
    }
    this.isPumping = false;
    if (!this.isOver && this.process.isRunning) this.setTimer();
  }

  private setTimer(): void {
    const wakeMs = this.core.wakeAtMs();
    assert(!Number.isNaN(wakeMs), 'a core wants to wake at no time');
    if (wakeMs === Infinity) return;
    this.process.wakeAt(wakeMs, (lateMs) => {
      if (this.isOver) return;
      if (lateMs === 0 && this.core.wakeAtMs() > this.process.nowMs()) return this.setTimer();
      this.give(this.tick(lateMs));
    });
  }
}
