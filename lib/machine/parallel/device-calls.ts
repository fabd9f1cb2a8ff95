/**
 * Devices stand in one thread, that of hart 0. Other harts reach them by a call, made while all
 * stand; hart 0's thread answers it where it stands.
 */

import type { MmioPort } from '../../riscv/slow-access.js';
import { RESTART } from '../../riscv/page-rights.js';
import { DEVICE_PAGE, type SharedOwnership } from './shared-ownership.js';
import { CALL, FAILURE, MODE, WORD, type SharedWords } from './shared-words.js';
import type { Standstill } from './standstill.js';

/** The devices as a hart on another thread sees them. */
export class DeviceCalls implements MmioPort {
  private readonly words: SharedWords;
  private readonly hart: number;
  private readonly standstill: Standstill;
  private readonly ownership: SharedOwnership;
  private readonly answered: () => void;

  /** `answered`: pages may have been lost to a device. */
  constructor(parts: {
    readonly words: SharedWords;
    readonly hart: number;
    readonly standstill: Standstill;
    readonly ownership: SharedOwnership;
    readonly answered: () => void;
  }) {
    this.words = parts.words;
    this.hart = parts.hart;
    this.standstill = parts.standstill;
    this.ownership = parts.ownership;
    this.answered = parts.answered;
  }

  read(physical: number, bytes: number): bigint | null {
    const isDone = this.call(physical, bytes, null);
    return isDone ? (this.words.call[1] ?? 0n) : null;
  }

  write(physical: number, bytes: number, value: bigint): boolean {
    return this.call(physical, bytes, value);
  }

  private call(physical: number, bytes: number, value: bigint | null): boolean {
    const { words } = this;
    let isDone = false;
    const ask = (): void => {
      isDone = this.ask(physical, bytes, value);
    };
    switch (words.load(WORD.mode)) {
      case MODE.solo:
        ask();
        break;
      case MODE.replay:
        words.fail(FAILURE.conflict, this.hart, { page: words.owners.length + DEVICE_PAGE });
        throw RESTART;
      default:
        this.ownership.withAllStanding(words.owners.length + DEVICE_PAGE, true, ask);
    }
    this.answered();
    return isDone;
  }

  private ask(physical: number, bytes: number, value: bigint | null): boolean {
    const { words } = this;
    words.call[0] = BigInt(physical);
    words.call[1] = value ?? 0n;
    words.store(WORD.callHart, this.hart);
    words.store(WORD.callBytes, bytes);
    words.store(WORD.callIsWrite, value === null ? 0 : 1);
    words.store(WORD.call, CALL.asked);
    this.standstill.pass();
    words.ring(0);
    this.standstill.waitUntil(
      () => words.load(WORD.call) === CALL.answered || words.load(WORD.failure) !== FAILURE.none,
    );
    words.store(WORD.call, CALL.none);
    return words.load(WORD.callDone) === 1;
  }
}

/** Answers the call that waits; `done` comes before the caller goes on. */
export function answerCall(words: SharedWords, devices: MmioPort, done: () => void): void {
  const bytes = words.load(WORD.callBytes);
  const physical = Number(words.call[0] ?? 0n);
  let isDone: boolean;
  if (words.load(WORD.callIsWrite) === 1) {
    isDone = devices.write(physical, bytes, words.call[1] ?? 0n);
  } else {
    const value = devices.read(physical, bytes);
    isDone = value !== null;
    words.call[1] = value ?? 0n;
  }
  done();
  words.store(WORD.callDone, isDone ? 1 : 0);
  words.store(WORD.call, CALL.answered);
  words.ring(words.load(WORD.callHart));
}
