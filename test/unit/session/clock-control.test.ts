/**
 * Goal: virtual time follows the host smoothly and never leaps.
 * Method: a model of a guest of a given speed, in exact arithmetic, run for seconds of host time.
 */

import test from 'ava';
import { DEFAULT_RATE } from '../../../lib/machine/config.js';
import { ClockControl } from '../../../lib/session/clock-control.js';

const SLICE_STEPS = 20_000n;
const NS_PER_TICK = 100n;

/** A guest that counts `stepsPerSecond`, and virtual time as the machine keeps it. */
class Model {
  nowNs = 5_000_000_000n;
  /** Virtual time in 2^-32 ticks. */
  fixed = 0n;
  rate = DEFAULT_RATE;
  readonly rates: bigint[] = [];
  readonly clock = new ClockControl({ nowNs: this.nowNs, ticks: 0n, initialRate: DEFAULT_RATE });
  private readonly startNs = this.nowNs;

  ticks(): bigint {
    return this.fixed >> 32n;
  }

  /** Host time minus virtual time, in milliseconds. */
  behindMs(): number {
    const host = (this.nowNs - this.startNs) / NS_PER_TICK;
    return Number(host - this.ticks()) / 10_000;
  }

  run(seconds: number, stepsPerSecond: number): void {
    const endNs = this.nowNs + BigInt(Math.round(seconds * 1e9));
    const sliceNs = (SLICE_STEPS * 1_000_000_000n) / BigInt(stepsPerSecond);
    while (this.nowNs < endNs) {
      const rate = this.clock.chooseRate(this.nowNs, this.ticks());
      if (rate !== null) {
        this.rates.push(rate);
        this.rate = rate;
      }
      const startNs = this.nowNs;
      this.nowNs += sliceNs;
      this.fixed += SLICE_STEPS * this.rate;
      this.clock.noteSlice({ startNs, endNs: this.nowNs, steps: SLICE_STEPS });
    }
  }
}

for (const speed of [20e6, 100e6, 150e6, 400e6]) {
  test(`virtual time follows a guest of ${speed / 1e6} million steps a second`, (t) => {
    const model = new Model();
    model.run(3, speed);
    t.true(Math.abs(model.behindMs()) < 5, `${model.behindMs()} ms behind`);
    t.true(model.rates.length <= 60, `${model.rates.length} re-bases in 3 s`);
  });
}

test('a guest of steady speed needs few re-bases once time is right', (t) => {
  const model = new Model();
  model.run(3, 130e6);
  const before = model.rates.length;
  model.run(10, 130e6);
  t.true(model.rates.length - before <= 40, `${model.rates.length - before} re-bases in 10 s`);
});

test('a change of speed is met without a leap', (t) => {
  const model = new Model();
  model.run(2, 100e6);
  model.run(2, 30e6);
  t.true(Math.abs(model.behindMs()) < 10);
  model.run(2, 300e6);
  t.true(Math.abs(model.behindMs()) < 10);
});

test('every rate chosen is forward and within its bounds', (t) => {
  const model = new Model();
  for (const speed of [1e6, 2e9, 5e5, 3e9, 1e8]) model.run(1, speed);
  for (const rate of model.rates) {
    t.true(rate >= DEFAULT_RATE / 64n && rate <= DEFAULT_RATE * 64n);
  }
});

test('a long stop of the process is not made up', (t) => {
  const model = new Model();
  model.run(2, 100e6);
  model.nowNs += 60_000_000_000n;
  const before = model.rates.length;
  model.run(2, 100e6);
  // About a minute stays lost; what is caught up is bounded.
  t.true(model.behindMs() > 59_000, `${model.behindMs()} ms behind`);
  for (const rate of model.rates.slice(before)) t.true(rate < DEFAULT_RATE * 8n);
});

test('a parked hart wakes at host time, and late wakes do not leap', (t) => {
  const clock = new ClockControl({ nowNs: 0n, ticks: 1000n, initialRate: DEFAULT_RATE });
  t.is(clock.untilNs(0n, 51_000n), 5_000_000n);
  t.is(clock.untilNs(6_000_000n, 51_000n), 0n);
  t.is(clock.wakeTicks(6_000_000n, 1000n, 51_000n), 61_000n);
  t.is(clock.wakeTicks(6_000_000n, 99_000n, null), 99_000n);
  // The process slept an hour beyond the deadline: the guest sees 100 ms of it.
  const hourNs = 3_600_000_000_000n;
  t.is(clock.wakeTicks(hourNs, 61_000n, 100_000n), 100_000n + 1_000_000n);
  t.is(clock.hostTicks(hourNs), 1_100_000n);
});
