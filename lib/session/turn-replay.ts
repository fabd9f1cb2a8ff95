/**
 * The part of a replay that is different where harts take turns: the log names a point of one hart
 * at a time, and the machine is run exactly there.
 */

import { unreachable } from '../base/assert.js';
import { LockstepError } from '../base/error.js';
import type { LogEntry, Point } from '../event/event.js';
import type { Machine, RunResult } from '../machine/machine.js';
import type { Differs } from './divergence.js';

export class TurnReplay {
  private readonly machine: Machine;
  private readonly differs: Differs;
  private readonly collect: () => void;

  /** `collect` takes what the machine has produced, after each run. */
  constructor(machine: Machine, differs: Differs, collect: () => void) {
    this.machine = machine;
    this.differs = differs;
    this.collect = collect;
  }

  /** Runs to the point of an entry, or until `limit` steps are counted and returns false. */
  reach(entry: LogEntry, limit: bigint): boolean {
    const { event } = entry;
    if (event.kind === 'epoch') return true;
    if (event.kind === 'horizon') return this.reachHorizon(entry, event.steps, limit);
    return this.reachPoint(entry, event, limit);
  }

  /** Counts one step more. */
  runOn(entry: LogEntry): void {
    this.run(entry, 1n, (most) => this.machine.runFor(most));
  }

  private reachPoint(entry: LogEntry, { hart, step }: Point, limit: bigint): boolean {
    if (hart >= this.machine.hartCount) {
      throw new LockstepError('BAD_LOG', `an entry of hart ${hart}, which the machine lacks`);
    }
    if (step < this.machine.step(hart)) {
      throw this.differs(entry, 'point of the entry', `step ${step} of hart ${hart}`, 'past it');
    }
    const isThere = (): boolean => {
      const here = this.machine.here();
      return here.hart === hart && here.step === step;
    };
    const left = limit - this.machine.steps();
    this.run(entry, left, (most) => this.machine.runUntil({ hart, step }, most), isThere);
    return isThere();
  }

  /** The harts take turns, so that the sum of their steps names the moment. */
  private reachHorizon(entry: LogEntry, steps: readonly bigint[], limit: bigint): boolean {
    const { machine } = this;
    if (steps.length !== machine.hartCount) {
      throw new LockstepError('BAD_LOG', `a horizon of ${steps.length} harts`);
    }
    const total = steps.reduce((sum, step) => sum + step, 0n);
    const from = machine.steps();
    if (total < from) throw this.differs(entry, 'point of the entry', `step ${total}`, 'past it');
    const target = total < limit ? total : limit;
    this.run(entry, target - from, (most) => machine.runFor(most));
    if (machine.steps() < total) return false;
    steps.forEach((step, hart) => {
      const actual = machine.step(hart);
      if (actual === step) return;
      throw this.differs(entry, `steps of hart ${hart}`, `${step}`, `${actual}`);
    });
    return true;
  }

  /** Lets the machine run for `most` steps; nothing may stop it before, but that it `isThere`. */
  private run(
    entry: LogEntry,
    most: bigint,
    go: (most: bigint) => RunResult,
    isThere = (): boolean => false,
  ): void {
    const target = this.machine.steps() + most;
    for (;;) {
      const left = target - this.machine.steps();
      if (left <= 0n || isThere()) return;
      const result = go(left);
      this.collect();
      const isOver = this.machine.steps() === target || isThere();
      switch (result.reason) {
        case 'reached':
        case 'paused':
          return;
        case 'output':
          continue;
        case 'parked':
        case 'stopped':
          if (isOver) return;
          throw this.differs(entry, 'machine', 'running', result.reason);
        default:
          unreachable(result);
      }
    }
  }
}
