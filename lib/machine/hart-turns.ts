/**
 * Harts that share one thread: they take turns by step count (serial mode).
 *
 *      hart 0  |== turn ==|                      |= WFI                |== ...
 *      hart 1             |=== turn ===|                |=== turn ===|
 *
 * Whose turn it is, and when it ends, are words of the machine, so the order in which harts run is
 * a function of state and costs no log. A turn ends after TURN_STEPS or at WFI, and the next hart
 * that does not wait for an interrupt begins at once: between two runs the hart in turn waits only
 * if all do. The harts share one virtual time, which is handed on with the turn.
 *
 * Invariant: a hart counts at least one step in each turn, so that (hart in turn, its step) names a
 * moment of history.
 */

import { assert, present } from '../base/assert.js';
import type { Point } from '../event/event.js';
import type { Hart } from '../riscv/hart.js';
import type { MachineState } from './machine-state.js';

/** Long enough that a change costs little, short enough that spinning for a hart does. */
export const TURN_STEPS = 20_000n;

export type TurnExit = 'reached' | 'paused' | 'parked' | 'must-return';

export class HartTurns {
  private readonly harts: readonly Hart[];
  private readonly state: MachineState;

  constructor(harts: readonly Hart[], state: MachineState) {
    this.harts = harts;
    this.state = state;
  }

  /** The hart in turn. */
  get current(): Hart {
    return present(this.harts[this.state.turnHart], 'hart in turn');
  }

  /** Steps of all harts together. */
  steps(): bigint {
    return this.harts.reduce((sum, hart) => sum + hart.step(), 0n);
  }

  /** Every hart waits for an interrupt. */
  isIdle(): boolean {
    return this.harts.every((hart) => hart.parked);
  }

  /** The earliest timer of any hart, in ticks, or null. */
  deadline(): bigint | null {
    return this.harts.reduce<bigint | null>((first, hart) => {
      const own = hart.timers.deadline();
      return own !== null && (first === null || own < first) ? own : first;
    }, null);
  }

  /** Gives the turn to a hart. */
  begin(hart: Hart): void {
    this.state.setTurn(hart.memory.hart, hart.step() + TURN_STEPS);
  }

  /** Ends an idle time: one hart goes on, all go on at `time`. */
  wake(hart: number, time: bigint): void {
    assert(this.isIdle(), `wake of hart ${hart} while another runs`);
    const woken = present(this.harts[hart], `hart ${hart}`);
    for (const other of this.harts) {
      if (other !== woken) other.follow(time, woken.timers.rate);
    }
    woken.wake(time);
  }

  /**
   * Runs until the hart of `until` has its turn at that step (`reached`), or until all harts have
   * counted `lastTotal` steps (`paused`, or `reached` without `until`), or for another reason.
   */
  run(until: Point | null, lastTotal: bigint): TurnExit {
    const several = this.harts.length > 1;
    for (;;) {
      const hart = this.current;
      const step = hart.step();
      const isTurn = until !== null && until.hart === hart.memory.hart;
      if (isTurn && until.step === step) return 'reached';
      const left = lastTotal - this.steps();
      assert(left >= 0n, `run to step ${lastTotal}, which has passed`);
      if (left === 0n) return until === null ? 'reached' : 'paused';
      let limit = step + left;
      if (isTurn && until.step < limit) limit = until.step;
      if (several && this.state.turnEnd < limit) limit = this.state.turnEnd;
      const exit = hart.run(limit);
      if (several && (hart.parked || hart.step() >= this.state.turnEnd)) this.pass(hart);
      if (exit === 'must-return') return exit;
      if (exit === 'parked' && this.current.parked) return exit;
    }
  }

  /** Gives the turn to the next hart that has something to do, or to the one that wakes first. */
  private pass(from: Hart): void {
    const time = from.time();
    const { rate } = from.timers;
    const first = this.harts.indexOf(from);
    for (let distance = 1; distance <= this.harts.length; distance++) {
      const next = present(this.harts[(first + distance) % this.harts.length], 'next hart');
      if (next !== from) next.follow(time, rate);
      next.unparkIfPending();
      if (next.parked) continue;
      this.begin(next);
      return;
    }
    this.begin(this.firstToWake());
  }

  private firstToWake(): Hart {
    let first = present(this.harts[0], 'hart 0');
    let earliest: bigint | null = null;
    for (const hart of this.harts) {
      const own = hart.timers.deadline();
      if (own === null || (earliest !== null && own >= earliest)) continue;
      first = hart;
      earliest = own;
    }
    return first;
  }
}
