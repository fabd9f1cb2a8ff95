/**
 * Goal: the guest's wall clock is a function of the recorded start and of virtual time.
 * Method: register accesses with a clock the test moves.
 */

import test from 'ava';
import { GoldfishRtc, RTC_SPEC } from '../../../lib/device/rtc.js';
import { blockOf, TestClock, TestLine } from './rig.js';

const START_SECONDS = 1_700_000_000n;
const TICKS_A_SECOND = 10_000_000n;

function rig() {
  const clock = new TestClock();
  const interrupt = new TestLine();
  const rtc = new GoldfishRtc(blockOf(RTC_SPEC), {
    base: 0x10_1000,
    startSeconds: START_SECONDS,
    clock,
    interrupt,
  });
  rtc.reset();
  return { rtc, clock, interrupt };
}

function time(rtc: GoldfishRtc): bigint {
  const low = rtc.read(0, 4);
  return low | (rtc.read(4, 4) << 32n);
}

test('time is start plus 100 ns a tick', (t) => {
  const { rtc, clock } = rig();
  t.is(time(rtc), START_SECONDS * 1_000_000_000n);
  clock.ticks = 3n;
  t.is(time(rtc), START_SECONDS * 1_000_000_000n + 300n);
});

test('the high half is latched by a read of the low half', (t) => {
  const { rtc, clock } = rig();
  clock.ticks = 0n;
  const low = rtc.read(0, 4);
  clock.ticks = 1_000n * TICKS_A_SECOND;
  t.is(low | (rtc.read(4, 4) << 32n), START_SECONDS * 1_000_000_000n);
});

test('the guest sets the clock, and it runs on from there', (t) => {
  const { rtc, clock } = rig();
  clock.ticks = 5n * TICKS_A_SECOND;
  const target = 1_800_000_000n * 1_000_000_000n;
  rtc.write(4, 4, target >> 32n);
  rtc.write(0, 4, target & 0xffff_ffffn);
  t.is(time(rtc), target);
  clock.ticks += TICKS_A_SECOND;
  t.is(time(rtc), target + 1_000_000_000n);
});

test('an alarm interrupts when its time has come, not before, and is acknowledged', (t) => {
  const { rtc, clock, interrupt } = rig();
  const due = START_SECONDS * 1_000_000_000n + 2_000_000_050n;
  rtc.write(0x10, 4, 1n);
  rtc.write(0x0c, 4, due >> 32n);
  rtc.write(0x08, 4, due & 0xffff_ffffn);
  t.is(rtc.read(0x18, 4), 1n);
  t.is(rtc.alarmDeadline(), 2n * TICKS_A_SECOND + 1n, 'rounded up to a whole tick');
  clock.ticks = 2n * TICKS_A_SECOND;
  rtc.poll();
  t.false(interrupt.level);
  clock.ticks += 1n;
  rtc.poll();
  t.true(interrupt.level);
  t.is(rtc.alarmDeadline(), null);
  rtc.write(0x1c, 4, 1n);
  t.false(interrupt.level);
});

test('a cleared alarm does not fire, and a masked one does not interrupt', (t) => {
  const { rtc, clock, interrupt } = rig();
  rtc.write(0x08, 4, 1n);
  t.false(interrupt.level, 'in the past, but masked');
  rtc.write(0x10, 4, 1n);
  t.true(interrupt.level);
  rtc.write(0x1c, 4, 1n);
  rtc.write(0x0c, 4, 0xffff_ffffn);
  rtc.write(0x08, 4, 0n);
  rtc.write(0x14, 4, 1n);
  clock.ticks = 0xffff_ffff_ffffn;
  rtc.poll();
  t.false(interrupt.level);
});
