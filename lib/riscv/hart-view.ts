/**
 * What can be read of a hart and done to it while it stands: its counters, virtual time, interrupt
 * lines and waiting. Needs the hart's words only, so that any thread can do it for any hart.
 */

import { assert } from '../base/assert.js';
import type { WordBlock } from '../memory/word-block.js';
import { HartTimers, setLine, type TimerPorts } from './hart-timers.js';
import { HART_WORD, X_OFFSET, type HartField } from './hart-state.js';
import type { HartMemory } from './hart-memory.js';
import { MACHINE, MSTATUS } from './privilege.js';
import { interruptPossible } from './trap.js';

const NEVER = (1n << 64n) - 1n;

export class HartView {
  readonly memory: HartMemory;
  readonly block: WordBlock;
  readonly timers: HartTimers;

  constructor(memory: HartMemory, devices: Omit<TimerPorts, 'step'>) {
    this.memory = memory;
    this.block = memory.block;
    this.timers = new HartTimers(this.block, { step: () => this.step(), ...devices });
  }

  /** Steps counted. */
  step(): bigint {
    return this.get('step');
  }

  retired(): bigint {
    return this.step() - this.get('traps');
  }

  /** Virtual time in timebase ticks. */
  time(): bigint {
    return this.timers.time();
  }

  get parked(): boolean {
    return this.block.halves[HART_WORD.parked * 2] !== 0;
  }

  /** Sets or clears an interrupt line (a bit of mip) from a device. */
  setLine(code: number, level: boolean): void {
    setLine(this.block, code, level);
  }

  /** From the present step on, time advances by `rate` / 2^32 ticks a step. */
  rebase(rate: bigint): void {
    this.timers.set(this.time(), rate);
  }

  /** Goes on with the time of a hart that ran before, if it is later; time never runs back. */
  follow(time: bigint, rate: bigint): void {
    const own = this.time();
    this.timers.set(time > own ? time : own, rate);
  }

  /** Ends the wait of WFI where an enabled interrupt is pending (section 3.3.3). */
  unparkIfPending(): void {
    if (!this.parked) return;
    this.timers.update();
    if (interruptPossible(this.block)) this.put('parked', 0n);
  }

  /** Ends the wait of WFI, which may end for any reason (section 3.3.3). */
  unpark(): void {
    this.put('parked', 0n);
  }

  wake(time: bigint): void {
    assert(this.parked, `wake of hart ${this.memory.hart}, which is not parked`);
    assert(time >= this.time(), `wake to ${time}, before ${this.time()}`);
    this.put('parked', 0n);
    this.timers.set(time, this.timers.rate);
  }

  /** Clears every word; what is given back restores the counts of steps and of time. */
  clearWords(): () => void {
    const fields = ['step', 'traps', 'timeBase', 'timeStep', 'timeRate'] as const;
    const kept = fields.map((field) => [field, this.get(field)] as const);
    this.block.words.fill(0n);
    return () => {
      for (const [field, value] of kept) this.put(field, value);
    };
  }

  /** Sets the words with which firmware is entered: M mode at `pc` (section 3.4). */
  resetWords(pc: bigint, registers: readonly (readonly [index: number, value: bigint])[]): void {
    this.put('pc', pc);
    this.put('privilege', BigInt(MACHINE));
    this.put('mstatus', this.get('mstatus') & ~(MSTATUS.MIE | MSTATUS.MPRV));
    this.put('stimecmp', NEVER);
    for (const [index, value] of registers) this.block.set(X_OFFSET / 8 + index, value);
  }

  protected get(field: HartField): bigint {
    return this.block.get(HART_WORD[field]);
  }

  protected put(field: HartField, value: bigint): void {
    this.block.set(HART_WORD[field], value);
  }
}
