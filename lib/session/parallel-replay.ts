/**
 * The part of a replay that is different where harts run in parallel: the log says where they stand
 * together, at a horizon or at a steal, and what else it says happens there. Interrupts on the way
 * are met once all stand.
 */

import { LockstepError } from '../base/error.js';
import type { InterruptEvent, LogEntry, Point, StealEvent } from '../event/event.js';
import type { Machine, ParallelMachine, TakenInterrupt } from '../machine/machine.js';
import type { Differs } from './divergence.js';
import { stepsAt } from './run-history.js';

export class ParallelReplay {
  private readonly machine: Machine;
  private readonly parallel: ParallelMachine;
  private readonly differs: Differs;
  /** In the log, not yet met by the machine. */
  private expected: InterruptEvent[] = [];

  constructor(machine: Machine, parallel: ParallelMachine, differs: Differs) {
    this.machine = machine;
    this.parallel = parallel;
    this.differs = differs;
  }

  /** Brings all harts to where the entry has them. True if they have run. */
  reach(entry: LogEntry): boolean {
    const { event } = entry;
    switch (event.kind) {
      case 'epoch':
        return false;
      case 'interrupt':
        this.expected.push(event);
        return false;
      case 'horizon':
        this.requireAhead(entry, event.steps);
        this.parallel.reach(event.steps);
        this.requireSteps(entry, event.steps);
        return true;
      case 'steal':
        this.steal(entry, event);
        return true;
      default:
        this.requireHere(entry, event);
        return false;
    }
  }

  /** `taken`: interrupts on the way, hart by hart. */
  meetInterrupts(entry: LogEntry, taken: readonly TakenInterrupt[]): void {
    const { expected } = this;
    this.expected = [];
    const count = Math.max(taken.length, expected.length);
    for (let index = 0; index < count; index++) {
      const [inLog, inMachine] = [textOf(expected[index]), textOf(taken[index])];
      if (inLog !== inMachine) throw this.differs(entry, 'interrupt', inLog, inMachine);
    }
  }

  private steal(entry: LogEntry, event: StealEvent): void {
    const { hartCount, ramPageCount } = this.machine;
    const stands = stepsAt(event);
    const isWhole = event.victims.length === hartCount - 1 && stands.size === hartCount;
    if (!isWhole || event.page > ramPageCount + 1) {
      throw new LockstepError('BAD_LOG', `entry ${entry.seq} steals what the machine lacks`);
    }
    const steps = Array.from({ length: hartCount }, (_, hart) => stands.get(hart));
    if (!steps.every((step) => step !== undefined)) {
      throw new LockstepError('BAD_LOG', `entry ${entry.seq} has a hart that the machine lacks`);
    }
    this.requireAhead(entry, steps);
    this.parallel.reachSteal(event);
    // An access to a device is done with its steal.
    const done = event.page === ramPageCount ? 1n : 0n;
    this.requireSteps(
      entry,
      steps.map((step, hart) => (hart === event.hart ? step + done : step)),
    );
  }

  private requireAhead(entry: LogEntry, steps: readonly bigint[]): void {
    if (steps.length !== this.machine.hartCount) {
      throw new LockstepError('BAD_LOG', `entry ${entry.seq} is of ${steps.length} harts`);
    }
    steps.forEach((step, hart) => {
      const actual = this.machine.step(hart);
      if (step >= actual) return;
      throw this.differs(entry, 'point of the entry', `step ${step} of hart ${hart}`, 'past it');
    });
  }

  private requireSteps(entry: LogEntry, steps: readonly bigint[]): void {
    steps.forEach((step, hart) => {
      const actual = this.machine.step(hart);
      if (actual !== step) {
        throw this.differs(entry, `steps of hart ${hart}`, `${step}`, `${actual}`);
      }
    });
  }

  private requireHere(entry: LogEntry, { hart, step }: Point): void {
    const here = this.machine.here();
    if (here.hart === hart && here.step === step) return;
    const text = (point: Point): string => `step ${point.step} of hart ${point.hart}`;
    throw this.differs(entry, 'point of the entry', text({ hart, step }), text(here));
  }
}

function textOf(interrupt: TakenInterrupt | undefined): string {
  if (interrupt === undefined) return 'none';
  return `cause ${interrupt.cause} at step ${interrupt.step} of hart ${interrupt.hart}`;
}
