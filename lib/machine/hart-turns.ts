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
import { Hart } from '../riscv/hart.js';
import {
  isIdle,
  stepsOf,
  type HartSchedule,
  type ScheduleExit,
  type ScheduleHost,
} from './hart-schedule.js';
import type { TakenInterrupt } from './machine.js';
import type { MachineState } from './machine-state.js';
import { TurnOwnership } from './turn-ownership.js';

/** Long enough that a change costs little, short enough that spinning for a hart does. */
export const TURN_STEPS = 20_000n;

export class HartTurns implements HartSchedule {
  readonly harts: Hart[] = [];
  readonly parallel = null;
  private readonly host: ScheduleHost;
  private readonly state: MachineState;
  private interrupts: TakenInterrupt[] = [];

  constructor(host: ScheduleHost) {
    this.host = host;
    this.state = host.state;
    const ownership = host.hartCount > 1 ? new TurnOwnership(this.harts) : null;
    for (let hart = 0; hart < host.hartCount; hart++) {
      const { layout, memory, compiler } = host;
      const ports = {
        mmio: host.devices,
        deviceDeadline: host.deviceDeadline,
        pollDevices: host.pollDevices,
        work: () => this.work(),
        mustReturn: host.mustReturn,
        onInterrupt: (step: bigint, cause: number): void =>
          void this.interrupts.push({ hart, step, cause }),
        ownership,
      };
      this.harts.push(new Hart({ hart, layout, memory, compiler, ports }));
    }
  }

  /** The hart in turn. */
  get current(): Hart {
    return this.hartOf(this.state.turnHart);
  }

  tell(tell: () => void): void {
    tell();
  }

  rebase(rate: bigint): void {
    this.current.rebase(rate);
  }

  restart(from: 'power-on' | 'snapshot'): void {
    if (from === 'power-on') this.begin(this.hartOf(0));
    this.interrupts = [];
  }

  setLine(hart: number, code: number, level: boolean): void {
    this.hartOf(hart).setLine(code, level);
  }

  setTimeCompare(hart: number, ticks: bigint): void {
    this.hartOf(hart).timers.setMachineCompare(ticks);
  }

  takeInterrupts(): readonly TakenInterrupt[] {
    const taken = this.interrupts;
    this.interrupts = [];
    return taken;
  }

  /** Gives the turn to a hart. */
  private begin(hart: Hart): void {
    this.state.setTurn(hart.memory.hart, hart.step() + TURN_STEPS);
  }

  /** Ends an idle time: one hart goes on, all go on at `time`. */
  wake(hart: number, time: bigint): void {
    assert(isIdle(this.harts), `wake of hart ${hart} while another runs`);
    const woken = this.hartOf(hart);
    for (const other of this.harts) {
      if (other !== woken) other.follow(time, woken.timers.rate);
    }
    woken.wake(time);
  }

  run(until: Point | null, lastTotal: bigint): ScheduleExit {
    const several = this.harts.length > 1;
    for (;;) {
      const hart = this.current;
      const step = hart.step();
      const isTurn = until !== null && until.hart === hart.memory.hart;
      if (isTurn && until.step === step) return 'reached';
      const left = lastTotal - stepsOf(this.harts);
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

  private hartOf(hart: number): Hart {
    return present(this.harts[hart], `hart ${hart}`);
  }

  /** Bounded work of devices goes on once a step. */
  private work(): 'none' | 'done' {
    const { host, state } = this;
    if (!host.hasWork()) return 'none';
    const steps = stepsOf(this.harts);
    if (state.resumedAt !== steps) {
      state.resumedAt = steps;
      host.resumeWork();
    }
    return 'done';
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
