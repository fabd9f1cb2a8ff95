/**
 * Harts in parallel, as the machine handles them: hart 0 on the machine's own thread, with the
 * devices, each other one on a thread of its own (`hart-thread.ts`), page ownership between them.
 */

import { assert } from '../../base/assert.js';
import type { Point, StealEvent } from '../../event/event.js';
import { HartMemory } from '../../riscv/hart-memory.js';
import { Hart } from '../../riscv/hart.js';
import {
  isIdle,
  stepsOf,
  type HartSchedule,
  type MachineHart,
  type ParallelRun,
  type ScheduleExit,
  type ScheduleHost,
} from '../hart-schedule.js';
import type { TakenInterrupt } from '../machine.js';
import type { ThreadPort } from './hart-thread.js';
import { ParallelSchedule, type ParallelExit } from './parallel-schedule.js';
import { RemoteHart } from './remote-hart.js';
import { Settlement } from './settlement.js';
import { MODE, SharedWords, WORD } from './shared-words.js';
import { SharedOwnership } from './shared-ownership.js';
import { Standstill } from './standstill.js';

export class ParallelHarts implements HartSchedule {
  readonly harts: readonly MachineHart[];
  readonly current: Hart;
  readonly parallel: ParallelRun;
  private readonly host: ScheduleHost;
  private readonly words: SharedWords;
  private readonly settlement: Settlement;
  private readonly ownership: SharedOwnership;
  private readonly schedule: ParallelSchedule;

  /** `start` starts the thread of a hart. */
  constructor(host: ScheduleHost, threads: ThreadPort, start: (hart: number) => void) {
    const { layout, memory, hartCount } = host;
    const words = new SharedWords(hartCount, layout, memory.buffer);
    this.host = host;
    this.words = words;
    this.settlement = new Settlement(words, layout, memory.buffer);
    const { settlement } = this;
    const standstill = new Standstill({
      words,
      hart: 0,
      port: threads,
      isParked: (hart) => settlement.isParked(hart),
      serve: () => this.schedule.serve(),
    });
    this.ownership = new SharedOwnership({
      words,
      hart: 0,
      standstill,
      settlement,
      step: () => this.current.step(),
      settled: () => this.schedule.refreshTimers(),
    });
    this.current = this.createFirst();
    this.schedule = new ParallelSchedule({
      words,
      hart: this.current,
      standstill,
      ownership: this.ownership,
      settlement,
      devices: host.devices,
      pollDevices: () => this.pollDevices(),
      mustReturn: host.mustReturn,
      hasWork: host.hasWork,
    });
    const others = Array.from(
      { length: hartCount - 1 },
      (_, index) => new RemoteHart(words, new HartMemory(index + 1, layout, memory.buffer)),
    );
    this.harts = [this.current, ...others];
    for (const other of others) {
      other.afterRestore();
      start(other.memory.hart);
    }
    const { schedule } = this;
    this.parallel = {
      reach: (steps) => schedule.reachHorizon(steps),
      reachSteal: (event) => this.reachSteal(event),
      takeSteals: () => schedule.takeSteals(),
    };
  }

  run(until: Point | null, lastTotal: bigint): ScheduleExit {
    assert(until === null, 'a recorded run of parallel harts has no point to reach');
    const left = lastTotal - stepsOf(this.harts);
    assert(left >= 0n, `run to step ${lastTotal}, which has passed`);
    if (left === 0n) return 'reached';
    if (isIdle(this.harts)) return 'parked';
    const exit = this.schedule.runFor(left);
    return exit === 'reached' && stepsOf(this.harts) < lastTotal ? 'paused' : exit;
  }

  tell(tell: () => void): void {
    this.schedule.betweenRuns(tell);
  }

  rebase(rate: bigint): void {
    for (const hart of this.harts) hart.rebase(rate);
  }

  wake(number: number, time: bigint): void {
    for (const hart of this.harts) {
      if (hart.memory.hart === number) hart.wake(time);
      else hart.follow(time, hart.timers.rate);
    }
  }

  restart(): void {
    this.schedule.restart();
  }

  setLine(hart: number, code: number, level: boolean): void {
    if (hart === 0) this.current.setLine(code, level);
    else this.settlement.noteLine(hart, code, level);
  }

  setTimeCompare(hart: number, ticks: bigint): void {
    if (hart === 0) {
      this.words.timeCompares[0] = ticks;
      this.current.timers.setMachineCompare(ticks);
    } else {
      this.settlement.noteTimeCompare(hart);
    }
  }

  takeInterrupts(): readonly TakenInterrupt[] {
    return this.schedule.takeInterrupts();
  }

  private createFirst(): Hart {
    const { layout, memory, compiler, devices, mustReturn } = this.host;
    const { words, ownership, settlement } = this;
    return new Hart({
      hart: 0,
      layout,
      memory,
      compiler,
      ports: {
        mmio: {
          read: (at, bytes) => ownership.exclusively(() => devices.read(at, bytes)),
          write: (at, bytes, value) => ownership.exclusively(() => devices.write(at, bytes, value)),
        },
        // Alarms are looked at when a run ends: other threads settle without the devices.
        deviceDeadline: () => null,
        pollDevices: () => undefined,
        work: () => this.work(),
        mustReturn: () =>
          mustReturn() ||
          !words.hasRoomForInterrupts(0) ||
          (words.load(WORD.mode) === MODE.record && settlement.hasLines),
        onInterrupt: (step, cause) => words.addInterrupt(0, Number(step), cause),
        ownership,
      },
    });
  }

  /** Bounded work of devices goes on once a step of hart 0; nobody comes between the two. */
  private work(): 'none' | 'done' | 'later' {
    const { host, ownership, current } = this;
    if (!host.hasWork()) {
      ownership.release();
      return 'none';
    }
    if (!ownership.hold()) return 'later';
    const step = current.step();
    if (host.state.resumedAt !== step) {
      host.state.resumedAt = step;
      host.resumeWork();
    }
    return 'done';
  }

  private pollDevices(): void {
    const deadline = this.host.deviceDeadline();
    if (deadline !== null && deadline <= this.current.time()) this.host.pollDevices();
  }

  private reachSteal(event: StealEvent): ParallelExit {
    const steps = this.harts.map((hart) => hart.step());
    for (const { hart, step } of [event, ...event.victims]) steps[hart] = step;
    const exit = this.schedule.runTo(steps);
    const isThere = this.harts.every((hart, index) => hart.step() === steps[index]);
    return isThere ? this.schedule.replaySteal(event) : exit;
  }
}
