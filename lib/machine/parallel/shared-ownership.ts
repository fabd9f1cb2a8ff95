/**
 * Page ownership of harts on threads of their own: how a hart, or a device on its behalf, gets a
 * page that others have, and how that is written down.
 *
 * Recording, a hart that needs what another has makes all stand, settles, takes the page and writes
 * the steal down before it goes on. A device that writes memory in the middle of its work takes
 * pages quietly: nothing is settled, since its hart is between two instructions for nobody.
 *
 * Replaying, the log says when a page changes its owner, and a conflict it does not know is a
 * divergence, found at the very instruction. A replay knows less of who has what than the recording
 * did, since a snapshot says nothing about it; so it can only find fewer conflicts, never more.
 */

import { assert } from '../../base/assert.js';
import { AGAIN, RESTART, type OwnershipPort, type PageMode } from '../../riscv/page-rights.js';
import { interruptPossible, nextInterrupt } from '../../riscv/trap.js';
import { joinPage, takePage } from './page-owners.js';
import type { Settlement } from './settlement.js';
import { FAILURE, MODE, WORD, type SharedWords } from './shared-words.js';
import type { Standstill } from './standstill.js';
import { isThrashing } from './turn-policy.js';

/** Pseudo-pages of the log, behind those of RAM: the devices, and nothing but a settlement. */
export const DEVICE_PAGE = 0;
export const NO_PAGE = 1;

/** Pages that one access to a device, or one piece of its work, may take at most. */
const ACCESS_STEALS = 1024;

export interface OwnershipParts {
  readonly words: SharedWords;
  readonly hart: number;
  readonly standstill: Standstill;
  readonly settlement: Settlement;
  /** Steps counted, exact in the middle of an instruction. */
  readonly step: () => bigint;
  /** The hart's timers are to be looked at before it goes on. */
  readonly settled: () => void;
}

export class SharedOwnership implements OwnershipPort {
  private readonly parts: OwnershipParts;
  /** A device works on behalf of the hart, with the lock. */
  private isDevice = false;
  /** All stand for as long as this is set: nobody has to be asked. */
  allStand = false;

  constructor(parts: OwnershipParts) {
    this.parts = parts;
  }

  acquire(hart: number, page: number, mode: PageMode): void {
    const { words } = this.parts;
    if (joinPage(words, hart, page, mode)) return;
    const how = words.load(WORD.mode);
    if (this.allStand || how === MODE.solo) {
      takePage(words, hart, page, mode);
    } else if (how === MODE.replay) {
      words.fail(FAILURE.conflict, hart, { page });
      throw RESTART;
    } else if (this.isDevice) {
      this.stealQuietly(page, mode);
    } else {
      this.withAllStanding(page, mode === 'write', () => takePage(words, hart, page, mode));
      throw AGAIN;
    }
  }

  /**
   * From now on nobody makes this hart stand: a device works, which may change memory and can't be
   * begun again. False if the hart has to stand first. `release` ends it.
   */
  hold(): boolean {
    const { words, standstill } = this.parts;
    if (this.isDevice || this.allStand || words.load(WORD.mode) !== MODE.record) return true;
    if (!words.hasRoomForSteals(ACCESS_STEALS)) {
      this.endRun();
      return false;
    }
    this.isDevice = standstill.tryLock();
    return this.isDevice;
  }

  release(): void {
    if (!this.isDevice) return;
    this.isDevice = false;
    this.parts.standstill.unlock();
    // Who did not get the lock stands and waits for a bell.
    this.parts.words.ringAll();
  }

  /** An access to a device within `hold`. `RESTART` if the hart has to stand first. */
  exclusively<T>(access: () => T): T {
    const isHeld = this.isDevice;
    if (!this.hold()) throw RESTART;
    try {
      return access();
    } finally {
      if (!isHeld) this.release();
    }
  }

  /** Makes all stand and settles; then `act`, unless an interrupt comes first. */
  withAllStanding(page: number, isWrite: boolean, act: () => void): void {
    const { words, hart, standstill, settlement } = this.parts;
    if (!words.hasRoomForSteals(1) || isThrashing(words.parallelRun())) {
      this.endRun();
      throw RESTART;
    }
    if (!standstill.tryLock()) throw RESTART;
    standstill.begin();
    words.steps[hart] = Number(this.parts.step());
    settlement.settle();
    this.parts.settled();
    const view = settlement.harts[hart];
    assert(view !== undefined, `hart ${hart} is known`);
    const isInterrupted = interruptPossible(view.block) && nextInterrupt(view.block) !== null;
    const stolen = isInterrupted ? words.owners.length + NO_PAGE : page;
    words.addSteal({ hart, page: stolen, isWrite, byDevice: false });
    if (!isInterrupted) act();
    standstill.end();
    if (isInterrupted) throw RESTART;
  }

  /** Takes a page in the middle of a device's work; the lock is held already. */
  private stealQuietly(page: number, mode: PageMode): void {
    const { words, hart, standstill } = this.parts;
    assert(words.hasRoomForSteals(1), 'room for the steals of one device access');
    standstill.begin();
    words.steps[hart] = Number(this.parts.step());
    words.addSteal({ hart, page, isWrite: mode === 'write', byDevice: true });
    takePage(words, hart, page, mode);
    words.store(WORD.wanted, 0);
    words.ringAll();
  }

  private endRun(): void {
    this.parts.words.store(WORD.ending, 1);
    this.parts.words.ring(0);
  }
}
