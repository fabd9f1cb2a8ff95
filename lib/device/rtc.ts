/**
 * Goldfish real-time clock ("google,goldfish-rtc"): nanoseconds since 1970 as a function of
 * virtual time, so that both replicas read the same.
 *
 * time = start + ticks * 100 ns + offset, where `start` is a recorded input of the machine and
 * `offset` is what the guest added by setting the clock. Reading TIME_LOW latches TIME_HIGH.
 *
 * The alarm owns no timer: the machine asks `alarmDeadline()` where it computes its deadlines and
 * calls `poll()` when virtual time has passed it. A machine that does neither has an RTC whose
 * alarm interrupt comes with the next register access.
 */

import type { WordBlock, WordBlockSpec } from '../memory/word-block.js';
import type { ClockPort, InterruptLine, MmioDevice } from './port.js';

const TIME_LOW = 0x00;
const TIME_HIGH = 0x04;
const ALARM_LOW = 0x08;
const ALARM_HIGH = 0x0c;
const IRQ_ENABLED = 0x10;
const CLEAR_ALARM = 0x14;
const ALARM_STATUS = 0x18;
const CLEAR_INTERRUPT = 0x1c;

const NS_PER_SECOND = 1_000_000_000n;
const NS_PER_TICK = 100n;
const LOW_HALF = 0xffff_ffffn;
const MASK64 = 0xffff_ffff_ffff_ffffn;

export const RTC_SPEC: WordBlockSpec = {
  name: 'rtc',
  fields: ['offset', 'timeHigh', 'alarm', 'alarmHigh', 'alarmRunning', 'irqEnabled', 'irqPending'],
};

export interface RtcOptions {
  readonly base: number;
  /** Seconds since 1970 at virtual time 0. */
  readonly startSeconds: bigint;
  readonly clock: ClockPort;
  readonly interrupt: InterruptLine;
}

export class GoldfishRtc implements MmioDevice {
  readonly name = 'rtc';
  readonly base: number;
  readonly sizeBytes = 0x1000;
  private readonly block: WordBlock;
  private readonly options: RtcOptions;

  /** `block` has `RTC_SPEC`. */
  constructor(block: WordBlock, options: RtcOptions) {
    this.base = options.base;
    this.block = block;
    this.options = options;
  }

  /** State at power-on: the clock at `startSeconds`, no alarm. */
  reset(): void {
    for (let index = 0; index < this.block.words.length; index++) this.block.set(index, 0n);
    this.options.interrupt.set(false);
  }

  /** Virtual time in ticks at which the alarm is due, or null without one. */
  alarmDeadline(): bigint | null {
    if (this.get('alarmRunning') === 0n) return null;
    const wait = this.get('alarm') - this.startNs();
    return wait <= 0n ? 0n : (wait + NS_PER_TICK - 1n) / NS_PER_TICK;
  }

  /** Fires the alarm if virtual time has reached it. */
  poll(): void {
    const deadline = this.alarmDeadline();
    if (deadline === null || this.options.clock.now() < deadline) return;
    this.put('alarmRunning', 0n);
    this.put('irqPending', 1n);
    this.drive();
  }

  read(offset: number, bytes: number): bigint {
    if (bytes !== 4) return 0n;
    this.poll();
    switch (offset) {
      case TIME_LOW: {
        const now = this.nowNs();
        this.put('timeHigh', now >> 32n);
        return now & LOW_HALF;
      }
      case TIME_HIGH:
        return this.get('timeHigh');
      case ALARM_LOW:
        return this.get('alarm') & LOW_HALF;
      case ALARM_HIGH:
        return this.get('alarm') >> 32n;
      case IRQ_ENABLED:
        return this.get('irqEnabled');
      case ALARM_STATUS:
        return this.get('alarmRunning');
      default:
        return 0n;
    }
  }

  write(offset: number, bytes: number, value: bigint): void {
    if (bytes !== 4) return;
    const half = value & LOW_HALF;
    switch (offset) {
      case TIME_LOW:
        this.moveClock((this.nowNs() & ~LOW_HALF) | half);
        break;
      case TIME_HIGH:
        this.moveClock((this.nowNs() & LOW_HALF) | (half << 32n));
        break;
      case ALARM_LOW:
        this.put('alarm', (this.get('alarmHigh') << 32n) | half);
        this.put('alarmRunning', 1n);
        break;
      case ALARM_HIGH:
        this.put('alarmHigh', half);
        break;
      case IRQ_ENABLED:
        this.put('irqEnabled', value & 1n);
        this.drive();
        break;
      case CLEAR_ALARM:
        this.put('alarmRunning', 0n);
        break;
      case CLEAR_INTERRUPT:
        this.put('irqPending', 0n);
        this.drive();
        break;
      default:
        break;
    }
    this.poll();
  }

  private drive(): void {
    const both = this.get('irqPending') & this.get('irqEnabled');
    this.options.interrupt.set(both === 1n);
  }

  /** Nanoseconds since 1970 at virtual time 0, as the guest has set the clock. */
  private startNs(): bigint {
    return (this.options.startSeconds * NS_PER_SECOND + this.get('offset')) & MASK64;
  }

  private nowNs(): bigint {
    return (this.startNs() + this.options.clock.now() * NS_PER_TICK) & MASK64;
  }

  private moveClock(target: bigint): void {
    this.put('offset', (this.get('offset') + target - this.nowNs()) & MASK64);
  }

  private get(field: string): bigint {
    return this.block.get(this.block.index(field));
  }

  private put(field: string, value: bigint): void {
    this.block.set(this.block.index(field), value);
  }
}
