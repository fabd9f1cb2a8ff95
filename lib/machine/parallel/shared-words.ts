/**
 * What the threads of harts share beside guest state: who stands, where, and for whom. Derived
 * memory, all zero at power-on; it says nothing that a replica or a snapshot needs.
 *
 * Words of `ints` are touched by Atomics only, or by the one thread that may touch them at the
 * time. The others are plain: who writes them stands or makes the others stand, and the Atomics of
 * that order them.
 */

import type { ParallelRun } from './turn-policy.js';
import type { DerivedRegion, MemoryLayout } from '../../memory/layout.js';
import { MAX_HARTS } from '../config.js';

/** Indices of words; those marked [h] have one for each hart. */
export const WORD = {
  /** 0, or the number of the hart that alone may make others stand, and one. */
  lock: 0,
  /** 1 while others are to stand. */
  wanted: 1,
  /** How page conflicts are settled: one of MODE. */
  mode: 2,
  /** 1 if this run is to end soon. */
  ending: 3,
  /** 0, or one of FAILURE. */
  failure: 4,
  failedHart: 5,
  failedPage: 6,
  /** A device access of a hart that has no devices: one of CALL. */
  call: 7,
  callBytes: 8,
  callIsWrite: 9,
  /** 1 if the device has answered, 0 for an access fault. */
  callDone: 10,
  /** Steals written down in this run. */
  steals: 11,
  /** Characters of the message of a failure. */
  messageLength: 12,
  callHart: 13,
  /** [h] 1 while the hart stands. */
  stands: 16,
  /** [h] Changed and notified whenever something that the hart waits for may have changed. */
  bell: 24,
  /** [h] Interrupt lines to be set or cleared at the next settlement: bits of mip, and levels. */
  lineChanges: 32,
  lineLevels: 40,
  /** [h] Bits of ERRAND. */
  errands: 48,
  /** [h] Pages lost since the hart last looked. */
  losses: 56,
  /** [h] Interrupts taken in this run. */
  interrupts: 64,
} as const;
const WORDS = 80;

export const MODE = {
  /** A conflict makes the others stand and is written down. */
  record: 0,
  /** One hart runs while the others stand; it takes what it needs. */
  solo: 1,
  /** A conflict that the log does not know is a divergence. */
  replay: 2,
} as const;

export const FAILURE = { none: 0, conflict: 1, exception: 2 } as const;
export const CALL = { none: 0, asked: 1, answered: 2 } as const;
/** What a hart does before it goes on: forget where it may store, or everything derived. */
export const ERRAND = { revokeWrites: 1, forgetAll: 2 } as const;

/** Pages that a hart loses before it looks; more make it forget everything. */
export const MAX_LOSSES = 256;
/** After so many steals or interrupts a run ends, so that they can be taken away. */
export const MAX_STEALS = 2048;
export const MAX_INTERRUPTS = 1024;
const MAX_MESSAGE = 1024;
/** hart, page, mode, byDevice, then the step of each hart. */
const STEAL_NUMBERS = 4 + MAX_HARTS;

const NUMBERS = 2 * MAX_HARTS + 2 + MAX_STEALS * STEAL_NUMBERS + MAX_HARTS * MAX_INTERRUPTS * 2;
/** Time compare values, address and value of a call. */
const LONGS = MAX_HARTS + 2;

export function sharedRegions(ramPages: number): readonly DerivedRegion[] {
  return [
    { name: 'page-owners', bytes: ramPages * 2 },
    { name: 'shared-ints', bytes: WORDS * 4 },
    { name: 'shared-losses', bytes: MAX_HARTS * MAX_LOSSES * 4 },
    { name: 'shared-numbers', bytes: NUMBERS * 8 },
    { name: 'shared-longs', bytes: LONGS * 8 },
    { name: 'shared-message', bytes: MAX_MESSAGE * 2 },
  ];
}

export class SharedWords {
  readonly harts: number;
  readonly ints: Int32Array<ArrayBufferLike>;
  /** Of each RAM page, who has it (`page-owners.ts`). */
  readonly owners: Uint16Array;
  /** Step of each hart, exact while it stands, and the step at which it is to stand. */
  readonly steps: Float64Array;
  readonly limits: Float64Array;
  /** Of each hart, the CLINT's compare value as of the last settlement, in ticks. */
  readonly timeCompares: BigUint64Array;
  /** Physical address and value of a device access. */
  readonly call: BigUint64Array;
  /** Steps of all harts together when this run began, and those that a steal has to bring. */
  private readonly begun: Float64Array;
  private readonly losses: Int32Array;
  private readonly steals: Float64Array;
  private readonly interrupts: Float64Array;
  private readonly message: Uint16Array;

  constructor(harts: number, layout: MemoryLayout, buffer: ArrayBufferLike) {
    this.harts = harts;
    const ramPages = layout.ramBytes / 4096;
    this.owners = new Uint16Array(buffer, layout.offsetOf('page-owners'), ramPages);
    this.ints = new Int32Array(buffer, layout.offsetOf('shared-ints'), WORDS);
    const losses = layout.offsetOf('shared-losses');
    this.losses = new Int32Array(buffer, losses, MAX_HARTS * MAX_LOSSES);
    const numbers = new Float64Array(buffer, layout.offsetOf('shared-numbers'), NUMBERS);
    this.steps = numbers.subarray(0, MAX_HARTS);
    this.limits = numbers.subarray(MAX_HARTS, 2 * MAX_HARTS);
    this.begun = numbers.subarray(2 * MAX_HARTS, 2 * MAX_HARTS + 2);
    const firstSteal = 2 * MAX_HARTS + 2;
    const afterSteals = firstSteal + MAX_STEALS * STEAL_NUMBERS;
    this.steals = numbers.subarray(firstSteal, afterSteals);
    this.interrupts = numbers.subarray(afterSteals);
    const longs = new BigUint64Array(buffer, layout.offsetOf('shared-longs'), LONGS);
    this.timeCompares = longs.subarray(0, MAX_HARTS);
    this.call = longs.subarray(MAX_HARTS);
    this.message = new Uint16Array(buffer, layout.offsetOf('shared-message'), MAX_MESSAGE);
  }

  /** A run begins: all stand. */
  begin(stepsForSteal: number): void {
    this.begun.set([this.stepsOfAll(), stepsForSteal]);
  }

  /** What this run came to, as far as harts have told their steps. */
  parallelRun(): ParallelRun {
    const [before = 0, stepsForSteal = 0] = this.begun;
    const steps = this.stepsOfAll() - before;
    return { steps, steals: this.load(WORD.steals), stepsForSteal };
  }

  private stepsOfAll(): number {
    return this.steps.reduce((sum, step) => sum + step, 0);
  }

  load(word: number): number {
    return Atomics.load(this.ints, word);
  }

  store(word: number, value: number): void {
    Atomics.store(this.ints, word, value);
  }

  /** Wakes a hart's thread, should it wait for something. */
  ring(hart: number): void {
    Atomics.add(this.ints, WORD.bell + hart, 1);
    Atomics.notify(this.ints, WORD.bell + hart);
  }

  ringAll(): void {
    for (let hart = 0; hart < this.harts; hart++) this.ring(hart);
  }

  /** Tells a hart that stands that it has lost a page; it looks before it goes on. */
  addLoss(hart: number, page: number, left: 'nothing' | 'read'): void {
    const count = this.load(WORD.losses + hart);
    if (count === MAX_LOSSES) {
      this.addErrand(hart, ERRAND.forgetAll);
      return;
    }
    this.losses[hart * MAX_LOSSES + count] = page * 2 + (left === 'read' ? 1 : 0);
    this.store(WORD.losses + hart, count + 1);
  }

  takeLosses(hart: number, lose: (page: number, left: 'nothing' | 'read') => void): void {
    const count = this.load(WORD.losses + hart);
    for (let index = 0; index < count; index++) {
      const loss = this.losses[hart * MAX_LOSSES + index] ?? 0;
      lose(loss >>> 1, (loss & 1) === 1 ? 'read' : 'nothing');
    }
    if (count > 0) this.store(WORD.losses + hart, 0);
  }

  addErrand(hart: number, errand: number): void {
    Atomics.or(this.ints, WORD.errands + hart, errand);
  }

  takeErrands(hart: number): number {
    return Atomics.exchange(this.ints, WORD.errands + hart, 0);
  }

  hasRoomForSteals(count: number): boolean {
    return this.load(WORD.steals) + count <= MAX_STEALS;
  }

  /** Writes down a steal, with the step of every hart. All others stand. */
  addSteal(steal: { hart: number; page: number; isWrite: boolean; byDevice: boolean }): void {
    const count = this.load(WORD.steals);
    const at = count * STEAL_NUMBERS;
    this.steals.set(
      [steal.hart, steal.page, steal.isWrite ? 1 : 0, steal.byDevice ? 1 : 0, ...this.steps],
      at,
    );
    this.store(WORD.steals, count + 1);
  }

  takeSteals(): readonly SharedSteal[] {
    const count = this.load(WORD.steals);
    this.store(WORD.steals, 0);
    return Array.from({ length: count }, (_, index) => {
      const at = index * STEAL_NUMBERS;
      const [hart = 0, page = 0, isWrite = 0, byDevice = 0] = this.steals.subarray(at, at + 4);
      const steps = Array.from(this.steals.subarray(at + 4, at + 4 + this.harts));
      return { hart, page, isWrite: isWrite === 1, byDevice: byDevice === 1, steps };
    });
  }

  hasRoomForInterrupts(hart: number): boolean {
    return this.load(WORD.interrupts + hart) < MAX_INTERRUPTS;
  }

  /** Lines that wait to be delivered are not. */
  forgetLines(): void {
    for (let hart = 0; hart < this.harts; hart++) this.store(WORD.lineChanges + hart, 0);
  }

  addInterrupt(hart: number, step: number, cause: number): void {
    const count = this.load(WORD.interrupts + hart);
    this.interrupts.set([step, cause], (hart * MAX_INTERRUPTS + count) * 2);
    this.store(WORD.interrupts + hart, count + 1);
  }

  /** Interrupts of one hart since the last call, in order. */
  takeInterrupts(hart: number): readonly { readonly step: number; readonly cause: number }[] {
    const count = this.load(WORD.interrupts + hart);
    if (count > 0) this.store(WORD.interrupts + hart, 0);
    return Array.from({ length: count }, (_, index) => {
      const at = (hart * MAX_INTERRUPTS + index) * 2;
      return { step: this.interrupts[at] ?? 0, cause: this.interrupts[at + 1] ?? 0 };
    });
  }

  /**
   * The first failure stands; harts that stand do not go on after it. A hart that fails by an
   * exception is never waited for again, and gives back what it holds.
   */
  fail(failure: number, hart: number, details: { page?: number; message?: string }): void {
    const { ints, message } = this;
    const text = (details.message ?? '').slice(0, MAX_MESSAGE);
    for (let index = 0; index < text.length; index++) message[index] = text.charCodeAt(index);
    this.store(WORD.messageLength, text.length);
    this.store(WORD.failedHart, hart);
    this.store(WORD.failedPage, details.page ?? 0);
    Atomics.compareExchange(ints, WORD.failure, FAILURE.none, failure);
    if (failure === FAILURE.exception) {
      this.store(WORD.stands + hart, 1);
      if (Atomics.compareExchange(ints, WORD.lock, hart + 1, 0) === hart + 1) {
        this.store(WORD.wanted, 0);
      }
    }
    this.ringAll();
  }

  failureMessage(): string {
    const codes = this.message.subarray(0, this.load(WORD.messageLength));
    return String.fromCharCode(...codes);
  }
}

export interface SharedSteal {
  readonly hart: number;
  readonly page: number;
  readonly isWrite: boolean;
  /** By a device in the middle of its work: nothing was settled. */
  readonly byDevice: boolean;
  readonly steps: readonly number[];
}
