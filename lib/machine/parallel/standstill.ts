/**
 * How one thread makes the others stand: harts run in parallel, and now and then one of them needs
 * something that is not its own. Then all stand, each at a step that is known, and go on.
 *
 *      hart 0  ====== begin |--- settles, takes the page, writes it down ---| end ======
 *      hart 1  ==========| stands at its next safepoint                     |===========
 *
 * Whoever makes others stand holds the lock, so there is one at a time. A hart that wants the lock
 * and does not get it stands too, between two instructions; no hart waits in the middle of one but
 * the holder. Every hart comes to a safepoint after a bounded number of steps, and nobody who
 * stands is waited for, so there is no deadlock.
 *
 * The order of standstills is the order of history: between two of them no hart touches what
 * another has written.
 */

import { assert } from '../../base/assert.js';
import { LockstepError } from '../../base/error.js';
import { WORD, type SharedWords } from './shared-words.js';

/** How a thread sleeps; the zone has no word for it. */
export interface WaitPort {
  /** Returns when `ints[index]` is notified or not `value`, or after a tenth of a second. */
  wait(ints: Int32Array<ArrayBufferLike>, index: number, value: number): void;
  /**
   * Called wherever the order in which threads come by decides what happens next. A host may hold
   * a thread up anywhere; tests do it here, where it matters.
   */
  pass?(): void;
}

/** Looks at a condition before a thread goes to sleep: some ten microseconds. */
const SPINS = 2000;
/**
 * Waits in vain, one after the other, after which the thread of a hart is taken for dead: a minute.
 * A run lasts milliseconds. Waits are counted, not time, so that a process that was stopped as a
 * whole does not take its threads for dead.
 */
const SILENT_WAITS_MAX = 600;

export interface StandstillParts {
  readonly words: SharedWords;
  readonly hart: number;
  readonly port: WaitPort;
  /** Whether a hart that stands waits for an interrupt, so that it need not be woken. */
  readonly isParked: (hart: number) => boolean;
  /** Done while this thread waits: device accesses of others, in the thread that has devices. */
  readonly serve?: () => void;
}

export class Standstill {
  private readonly words: SharedWords;
  private readonly hart: number;
  private readonly port: WaitPort;
  private readonly isParked: (hart: number) => boolean;
  private readonly serve: () => void;

  constructor({ words, hart, port, isParked, serve = () => undefined }: StandstillParts) {
    this.words = words;
    this.hart = hart;
    this.port = port;
    this.isParked = isParked;
    this.serve = serve;
  }

  /** A place at which another thread may come first. */
  pass(): void {
    this.port.pass?.();
  }

  /** Whether somebody waits for this hart to stand. */
  get isWanted(): boolean {
    return this.words.load(WORD.wanted) !== 0;
  }

  waitUntil(isDone: () => boolean): void {
    const { words, port } = this;
    for (let spin = 0; spin < SPINS; spin++) {
      this.serve();
      if (isDone()) return;
    }
    for (let silent = 0; ;) {
      const bell = words.load(WORD.bell + this.hart);
      this.serve();
      if (isDone()) return;
      port.wait(words.ints, WORD.bell + this.hart, bell);
      silent = words.load(WORD.bell + this.hart) === bell ? silent + 1 : 0;
      if (silent > SILENT_WAITS_MAX && this.isFirst) this.giveUp();
    }
  }

  /** Only hart 0 waits within a run alone; others stand as long as nothing is run. */
  private get isFirst(): boolean {
    return this.hart === 0;
  }

  private giveUp(): never {
    const states = Array.from({ length: this.words.harts }, (_, hart) => {
      const stands = this.words.load(WORD.stands + hart) !== 0;
      return `hart ${hart} ${stands ? 'stands' : 'runs'} at step ${this.words.steps[hart] ?? 0}`;
    });
    throw new LockstepError('IO', `the thread of a hart does not answer: ${states.join(', ')}`);
  }

  tryLock(): boolean {
    this.pass();
    const taken = Atomics.compareExchange(this.words.ints, WORD.lock, 0, this.hart + 1);
    return taken === 0;
  }

  unlock(): void {
    assert(this.words.load(WORD.lock) === this.hart + 1, 'unlocked by its holder');
    this.words.store(WORD.lock, 0);
  }

  /** All others stand when it returns. The caller holds the lock. */
  begin(): void {
    const { words, hart } = this;
    assert(words.load(WORD.lock) === hart + 1, 'a standstill is begun with the lock');
    words.store(WORD.wanted, 1);
    this.pass();
    this.waitUntil(() => {
      for (let other = 0; other < words.harts; other++) {
        if (other !== hart && words.load(WORD.stands + other) === 0) return false;
      }
      return true;
    });
  }

  /**
   * Lets all go on that can, and gives the lock back. Waking the thread of a hart that waits for an
   * interrupt would cost more than its looking is worth; what unparks it ends with this as well.
   */
  end(): void {
    const { words } = this;
    // Looked at while all stand: who runs may park at any time.
    const awake = Array.from(
      { length: words.harts },
      (_, hart) => hart === 0 || !this.isParked(hart),
    );
    this.pass();
    words.store(WORD.wanted, 0);
    this.pass();
    this.unlock();
    this.pass();
    awake.forEach((isAwake, hart) => {
      if (isAwake) words.ring(hart);
    });
  }

  /** This hart stands at `step`, until nobody wants it to and `mayGo`. */
  stand(step: number, mayGo: () => boolean = () => true): void {
    const { words, hart } = this;
    words.steps[hart] = step;
    words.store(WORD.stands + hart, 1);
    for (;;) {
      this.pass();
      this.ringHolder();
      this.waitUntil(() => !this.isWanted && mayGo());
      this.pass();
      words.store(WORD.stands + hart, 0);
      this.pass();
      // Whoever wanted a standstill meanwhile sees the word before or after this; if before, it
      // goes on without this hart, which therefore has to look again.
      if (!this.isWanted) return;
      words.store(WORD.stands + hart, 1);
    }
  }

  private ringHolder(): void {
    const { words, hart } = this;
    const holder = words.load(WORD.lock) - 1;
    if (holder >= 0 && holder !== hart) words.ring(holder);
    if (hart !== 0) words.ring(0);
  }
}
