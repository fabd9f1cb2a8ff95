/**
 * Harts that run in parallel, seen from the thread of hart 0, which has the devices and whoever
 * drives the machine.
 *
 * Between two runs all harts stand. A run lets them go and ends with all standing again, settled,
 * at steps that the log then names (`horizon`); a replay lets each go to exactly its step there.
 *
 *      hart 0  |== run ==|  events, checks  |== run ==|
 *      hart 1  |== run ==|                  |== run ==|
 */

import { assert, present } from '../../base/assert.js';
import { LockstepError } from '../../base/error.js';
import type { StealEvent } from '../../event/event.js';
import { HART_WORD } from '../../riscv/hart-state.js';
import { RESTART } from '../../riscv/page-rights.js';
import type { Hart } from '../../riscv/hart.js';
import type { MmioPort } from '../../riscv/slow-access.js';
import type { TakenInterrupt } from '../machine.js';
import { answerCall } from './device-calls.js';
import { HartRunner } from './hart-runner.js';
import { forgetOwners, takePage } from './page-owners.js';
import type { Settlement } from './settlement.js';
import { DEVICE_PAGE, NO_PAGE, type SharedOwnership } from './shared-ownership.js';
import { CALL, FAILURE, MODE, WORD, type SharedWords } from './shared-words.js';
import type { Standstill } from './standstill.js';
import { stepsForSteal, TurnPolicy } from './turn-policy.js';

/** A turn of one hart alone is a sixteenth of a run, since it costs two wake-ups of threads. */
const TURNS_IN_A_RUN = 16;
const SHORTEST_TURN_STEPS = 50_000;
/** A hart whose thread the host let none of so many runs have gets a turn, which all wait for. */
const IDLE_RUNS_MAX = 100;

/** `reached`: a hart stands at its limit; for a replay, every hart does. */
export type ParallelExit = 'reached' | 'parked' | 'must-return';

export interface ScheduleParts {
  readonly words: SharedWords;
  readonly hart: Hart;
  readonly standstill: Standstill;
  readonly ownership: SharedOwnership;
  readonly settlement: Settlement;
  readonly devices: MmioPort;
  /** Looks at devices that want to be polled at the present time. */
  readonly pollDevices: () => void;
  readonly mustReturn: () => boolean;
  /** Devices have bounded work left, which goes on once a step. */
  readonly hasWork: () => boolean;
}

export class ParallelSchedule {
  private readonly parts: ScheduleParts;
  private readonly runner: HartRunner;
  private readonly policy = new TurnPolicy();
  private lastTurn = 0;
  /** By hart: runs together, one after the other, in which it did not move though it could. */
  private readonly idleRuns: number[] = [];

  /** All stand from the beginning. */
  constructor(parts: ScheduleParts) {
    this.parts = parts;
    this.runner = new HartRunner(parts);
    const { words } = parts;
    for (let hart = 1; hart < words.harts; hart++) words.store(WORD.stands + hart, 1);
    words.store(WORD.lock, 1);
    words.store(WORD.wanted, 1);
    parts.ownership.allStand = true;
  }

  /**
   * Lets all run until one of them has counted its share of `steps` more, or there is another
   * reason. Never more than `steps` together.
   */
  runFor(steps: bigint): ParallelExit {
    const starved = this.idleRuns.findIndex((runs) => runs >= IDLE_RUNS_MAX);
    let exit: ParallelExit;
    if (starved >= 0) exit = this.runAlone(starved, steps);
    else exit = this.policy.isTurn() ? this.runTurn(steps) : this.runTogether(steps);
    this.settleHorizon();
    return exit;
  }

  private runTogether(steps: bigint): ParallelExit {
    const { words } = this.parts;
    const { harts } = this.parts.settlement;
    const awake = harts.filter((hart) => !hart.parked).length;
    // Who waits for an interrupt may be woken, and has half as much.
    const half = Math.floor(Number(steps) / (words.harts + awake));
    for (const { memory, parked } of harts) {
      // What can't be shared out is one hart's, so that any sum of steps can be met.
      const rest = memory.hart === this.firstAwake() ? Number(steps) : 0;
      const own = half === 0 ? rest : parked ? half : 2 * half;
      words.limits[memory.hart] = (words.steps[memory.hart] ?? 0) + own;
    }
    words.begin(stepsForSteal(Number(steps)));
    const before = Array.from(words.steps);
    const exit = this.run(MODE.record);
    for (const { memory, parked } of harts) {
      const isIdle = !parked && words.steps[memory.hart] === before[memory.hart];
      this.idleRuns[memory.hart] = isIdle ? (this.idleRuns[memory.hart] ?? 0) + 1 : 0;
    }
    this.policy.note(words.parallelRun());
    return exit;
  }

  /** One hart runs while the others stand; the next time it is another one's turn. */
  private runTurn(steps: bigint): ParallelExit {
    const { harts } = this.parts.settlement;
    for (let distance = 1; distance <= harts.length; distance++) {
      const next = (this.lastTurn + distance) % harts.length;
      if (present(harts[next], 'next hart').parked) continue;
      this.lastTurn = next;
      break;
    }
    return this.runAlone(this.lastTurn, steps);
  }

  private runAlone(hart: number, steps: bigint): ParallelExit {
    const { words } = this.parts;
    this.idleRuns[hart] = 0;
    words.limits.set(words.steps);
    const turn = Math.max(SHORTEST_TURN_STEPS, Math.floor(Number(steps) / TURNS_IN_A_RUN));
    words.limits[hart] = (words.steps[hart] ?? 0) + Math.min(Number(steps), turn);
    return this.run(MODE.solo);
  }

  /** Lets each run to exactly its step, as the log says; all stand there. */
  runTo(steps: readonly bigint[]): ParallelExit {
    const { words } = this.parts;
    let moving = 0;
    steps.forEach((step, hart) => {
      const from = words.steps[hart] ?? 0;
      assert(Number(step) >= from, `hart ${hart} is at step ${from}, beyond ${step}`);
      if (Number(step) > from) moving++;
      words.limits[hart] = Number(step);
    });
    return moving === 0 ? 'reached' : this.run(moving === 1 ? MODE.solo : MODE.replay);
  }

  /** Lets each run to where a recorded run has ended, and settles as it did. */
  reachHorizon(steps: readonly bigint[]): ParallelExit {
    const exit = this.runTo(steps);
    this.settleHorizon();
    return exit;
  }

  refreshTimers(): void {
    this.runner.refreshTimers();
  }

  /** What a standstill does that ends a run: all of a settlement, and the devices' alarms. */
  private settleHorizon(): void {
    this.parts.settlement.settle();
    this.parts.pollDevices();
    this.afterDevices();
  }

  /** What a steal of the log did; all stand at its steps. */
  replaySteal({ hart, page, mode, byDevice }: StealEvent): ParallelExit {
    const { words, settlement } = this.parts;
    if (!byDevice) settlement.settle();
    if (page < words.owners.length) takePage(words, hart, page, mode);
    if (page !== words.owners.length + DEVICE_PAGE) return 'reached';
    words.limits.set(words.steps);
    words.limits[hart] = (words.steps[hart] ?? 0) + 1;
    return this.run(MODE.solo);
  }

  /** Before devices are told something from outside, and after. */
  betweenRuns<T>(tell: () => T): T {
    this.runner.lookAround();
    const answer = tell();
    this.parts.settlement.deliverLines();
    return answer;
  }

  /** Words were set from outside: where each hart stands is to be known, and who has what not. */
  restart(): void {
    const { words, settlement } = this.parts;
    forgetOwners(words);
    // What devices said of lines before is about another state; the harts' words have their own.
    words.forgetLines();
    for (const { block, memory } of settlement.harts) {
      words.steps[memory.hart] = Number(block.get(HART_WORD.step));
    }
  }

  takeSteals(): readonly StealEvent[] {
    return this.parts.words.takeSteals().map(({ hart, page, isWrite, byDevice, steps }) => ({
      kind: 'steal',
      hart,
      step: BigInt(present(steps[hart], 'step of the thief')),
      page,
      mode: isWrite ? 'write' : 'read',
      byDevice,
      victims: steps.flatMap((step, other) =>
        other === hart ? [] : [{ hart: other, step: BigInt(step) }],
      ),
    }));
  }

  /** Hart by hart, in order. */
  takeInterrupts(): readonly TakenInterrupt[] {
    const { words } = this.parts;
    const taken: TakenInterrupt[] = [];
    for (let hart = 0; hart < words.harts; hart++) {
      for (const { step, cause } of words.takeInterrupts(hart)) {
        taken.push({ hart, step: BigInt(step), cause });
      }
    }
    return taken;
  }

  /** Answers a device access of another hart, if one waits; this thread stands. */
  serve(): void {
    const { words, devices, ownership, mustReturn } = this.parts;
    if (words.load(WORD.call) !== CALL.asked) return;
    this.runner.lookAround();
    const before = ownership.allStand;
    ownership.allStand = true;
    answerCall(words, devices, () => this.afterDevices());
    ownership.allStand = before;
    if (mustReturn()) words.store(WORD.ending, 1);
  }

  /** Devices were told something while hart 0 stood: what they want of harts. */
  private afterDevices(): void {
    const { settlement, hasWork, hart } = this.parts;
    settlement.deliverLines();
    settlement.unpark();
    // Their work goes on with the steps of hart 0.
    if (hasWork()) hart.unpark();
  }

  private firstAwake(): number {
    const index = this.parts.settlement.harts.findIndex((hart) => !hart.parked);
    return Math.max(index, 0);
  }

  private run(mode: number): ParallelExit {
    const { words, standstill, ownership, mustReturn } = this.parts;
    words.store(WORD.mode, mode);
    words.store(WORD.ending, 0);
    ownership.allStand = mode === MODE.solo;
    this.afterDevices();
    standstill.end();
    this.runOwn();
    while (!standstill.tryLock()) this.stand(() => true);
    standstill.begin();
    ownership.allStand = true;
    this.throwFailure();
    if (mustReturn()) return 'must-return';
    return this.parts.settlement.harts.every((hart) => hart.parked) ? 'parked' : 'reached';
  }

  private runOwn(): void {
    const { standstill } = this.parts;
    const mayGo = (): boolean => this.isOver() || this.runner.canRun();
    for (;;) {
      if (this.isOver()) return;
      if (this.runner.canRun()) this.runStretch();
      if (standstill.isWanted || !mayGo()) this.stand(mayGo);
    }
  }

  private runStretch(): void {
    const { words, settlement } = this.parts;
    // Not before it can run: a hart that runs alone may be telling it what it loses just now.
    this.runner.lookAround();
    const exit = this.runner.run();
    const isRecord = words.load(WORD.mode) === MODE.record;
    if (exit === 'must-return' && isRecord && settlement.hasLines) this.sendLines();
    else this.runner.noteExit(exit);
  }

  /** An interrupt for another hart: all stand, and it gets there. */
  private sendLines(): void {
    const { words, ownership } = this.parts;
    try {
      ownership.withAllStanding(words.owners.length + NO_PAGE, false, () => undefined);
    } catch (error) {
      // Another hart is about to make all stand, which does as well.
      if (error !== RESTART) throw error;
    }
  }

  private stand(mayGo: () => boolean): void {
    this.parts.standstill.stand(Number(this.parts.hart.step()), mayGo);
  }

  /** Nobody has anything left to do in this run, or it is to end. */
  private isOver(): boolean {
    const { words, settlement } = this.parts;
    if (words.load(WORD.failure) !== FAILURE.none || words.load(WORD.ending) !== 0) return true;
    return settlement.harts.every((hart) => {
      const number = hart.memory.hart;
      if (number !== 0 && words.load(WORD.stands + number) === 0) return false;
      return hart.parked || (words.steps[number] ?? 0) >= (words.limits[number] ?? 0);
    });
  }

  private throwFailure(): void {
    const { words } = this.parts;
    const failure = words.load(WORD.failure);
    if (failure === FAILURE.none) return;
    const hart = words.load(WORD.failedHart);
    if (failure === FAILURE.exception) {
      throw new Error(`thread of hart ${hart}: ${words.failureMessage()}`);
    }
    words.store(WORD.failure, FAILURE.none);
    const page = words.load(WORD.failedPage);
    const step = words.steps[hart] ?? 0;
    throw new LockstepError(
      'DIVERGED',
      `hart ${hart} at step ${step} needs page ${page}, which the log does not give it`,
      { hart, step: BigInt(step), page },
    );
  }
}
