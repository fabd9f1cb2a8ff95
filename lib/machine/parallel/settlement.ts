/**
 * What is done to every hart whenever all stand: pending interrupt lines reach them, virtual time
 * becomes that of the hart that is furthest, timers are looked at, and who waits for an interrupt
 * that is pending waits no more.
 *
 * A function of words, so that any thread can do it and a replay does it alike; doing it twice at
 * the same steps changes nothing. RTC alarms are not looked at here: its thread does that.
 */

import { clintSpec } from '../../device/clint.js';
import { WordBlock } from '../../memory/word-block.js';
import type { MemoryLayout } from '../../memory/layout.js';
import { HartMemory } from '../../riscv/hart-memory.js';
import { HartView } from '../../riscv/hart-view.js';
import { WORD, type SharedWords } from './shared-words.js';

/** Among the lines of a hart: its compare value in the CLINT has changed. No bit of mip is used. */
const TIME_COMPARE = 31;

/** A hart that stands, seen from any thread. */
export class StandingHart extends HartView {
  private readonly words: SharedWords;

  constructor(words: SharedWords, memory: HartMemory) {
    super(memory, { deviceDeadline: () => null, pollDevices: () => undefined });
    this.words = words;
  }

  /** Where it was when it stood: in the middle of an instruction its own word is not up to date. */
  override step(): bigint {
    return BigInt(this.words.steps[this.memory.hart] ?? 0);
  }
}

export class Settlement {
  readonly harts: readonly StandingHart[];
  private readonly words: SharedWords;
  private readonly clint: WordBlock;
  private readonly timeCompares: number;

  constructor(words: SharedWords, layout: MemoryLayout, buffer: ArrayBufferLike) {
    this.words = words;
    this.harts = Array.from(
      { length: words.harts },
      (_, hart) => new StandingHart(words, new HartMemory(hart, layout, buffer)),
    );
    const spec = clintSpec(words.harts);
    this.clint = new WordBlock(spec, buffer, layout.offsetOf(spec.name));
    this.timeCompares = this.clint.index('mtimecmp');
  }

  isParked(hart: number): boolean {
    return this.harts[hart]?.parked === true;
  }

  /** All stand, or are made to by the caller. */
  settle(): void {
    let latest = 0n;
    for (const hart of this.harts) {
      const time = hart.time();
      if (time > latest) latest = time;
    }
    for (const hart of this.harts) {
      if (hart.time() < latest) hart.follow(latest, hart.timers.rate);
      this.refreshCompare(hart);
      hart.timers.update();
    }
    this.deliverLines();
    this.unpark();
  }

  /** Who waits for an interrupt that is pending waits no more. */
  unpark(): void {
    for (const hart of this.harts) hart.unparkIfPending();
  }

  /** Interrupt lines that devices have changed reach their harts. */
  deliverLines(): void {
    const { words } = this;
    for (const hart of this.harts) {
      const number = hart.memory.hart;
      const changes = words.load(WORD.lineChanges + number);
      if (changes !== 0) {
        const levels = words.load(WORD.lineLevels + number);
        words.store(WORD.lineChanges + number, 0);
        for (let code = 0; code < TIME_COMPARE; code++) {
          if (((changes >>> code) & 1) === 1) hart.setLine(code, ((levels >>> code) & 1) === 1);
        }
        if (changes >>> TIME_COMPARE === 1) this.refreshCompare(hart);
      }
    }
  }

  private refreshCompare(hart: StandingHart): void {
    const { hart: number } = hart.memory;
    const compare = this.clint.get(this.timeCompares + number);
    this.words.timeCompares[number] = compare;
    hart.timers.setMachineCompare(compare);
  }

  /** A hart's compare value in the CLINT has changed. */
  noteTimeCompare(hart: number): void {
    this.noteLine(hart, TIME_COMPARE, true);
  }

  /** A line that a device has set or cleared, to be delivered. */
  noteLine(hart: number, code: number, level: boolean): void {
    const { words } = this;
    const levels = words.load(WORD.lineLevels + hart);
    const bit = 1 << code;
    words.store(WORD.lineLevels + hart, level ? levels | bit : levels & ~bit);
    words.store(WORD.lineChanges + hart, words.load(WORD.lineChanges + hart) | bit);
  }

  /** Lines wait to be delivered. */
  get hasLines(): boolean {
    for (let hart = 0; hart < this.words.harts; hart++) {
      if (this.words.load(WORD.lineChanges + hart) !== 0) return true;
    }
    return false;
  }
}
