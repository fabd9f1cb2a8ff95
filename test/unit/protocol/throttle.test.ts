/**
 * Goal: the throttle finds the speed of a slow backup, keeps the lag near its target and does not
 * oscillate.
 * Method: a backup of fixed speed as a formula; work is what the guest was allowed to do.
 */

import test from 'ava';
import { DEFAULT_LIMITS } from '../../../lib/protocol/limits.js';
import { PRIMARY_POLICY } from '../../../lib/protocol/primary-policy.js';
import { Throttle } from '../../../lib/protocol/throttle.js';
import { Random } from '../../support/random.js';

interface Sample {
  readonly lagMs: number;
  readonly permille: number;
}

/** Runs `seconds` with a backup that replays `speed` of the guest's full rate, or so at a time. */
function follow(speed: number | ((nowMs: number) => number), seconds: number): Sample[] {
  const speedAt = typeof speed === 'number' ? (): number => speed : speed;
  const throttle = new Throttle();
  throttle.begin(0);
  const samples: Sample[] = [];
  const work: number[] = [];
  let replayed = 0;
  let done = 0;
  for (let nowMs = 1; nowMs <= seconds * 1000; nowMs += 1) {
    work.push(throttle.permille / 1000);
    for (
      done += speedAt(nowMs);
      replayed < work.length && (work[replayed] ?? 0) <= done;
      replayed += 1
    ) {
      done -= work[replayed] ?? 0;
    }
    if (replayed === work.length) done = 0;
    const lagMs = work.length - replayed;
    throttle.decide(PRIMARY_POLICY, DEFAULT_LIMITS, { nowMs, lagMs, floorPermille: 20 });
    samples.push({ lagMs, permille: throttle.permille });
  }
  return samples;
}

const range = (values: readonly number[]): number => Math.max(...values) - Math.min(...values);
const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

for (const speed of [0.05, 0.1, 0.3, 0.6, 0.9]) {
  test(`a backup of ${speed * 100}% speed: all of it is used, and the lag stays below its target`, (t) => {
    const late = follow(speed, 30).slice(10_000);
    const lag = Math.max(...late.map((sample) => sample.lagMs));
    t.true(lag <= DEFAULT_LIMITS.lagTargetMs, `lag ${lag} ms`);
    const shares = late.map((sample) => sample.permille / 1000);
    t.true(Math.abs(mean(shares) / speed - 1) < 0.05, `mean share ${mean(shares).toFixed(3)}`);
    t.true(range(shares) < 0.1 * speed, `shares that are ${range(shares).toFixed(3)} apart`);
  });
}

test('a backup that is held up now and then is used almost as far as it goes', (t) => {
  for (const speed of [0.3, 0.6, 0.9]) {
    const random = new Random(3);
    let level = speed;
    const samples = follow((nowMs) => {
      if (nowMs % 50 === 0) level = speed * (random.below(100) < 15 ? 0.2 : 1.14);
      return level;
    }, 60).slice(10_000);
    const share = mean(samples.map(({ permille }) => permille / 1000));
    t.true(share > 0.93 * speed, `${share.toFixed(3)} of ${speed}`);
    const isLate = samples.filter(({ lagMs }) => lagMs > DEFAULT_LIMITS.lagTargetMs);
    t.true(isLate.length < 0.15 * samples.length, `late for ${isLate.length} ms`);
  }
});

test('a backup that is fast enough leaves the guest alone', (t) => {
  t.true(follow(1.5, 5).every((sample) => sample.permille === 1_000));
});

test('a backup that stands still for a moment costs the guest little more than that', (t) => {
  for (const stallMs of [200, 400, 600, 1_000]) {
    const isStalled = (nowMs: number): boolean => nowMs > 2_000 && nowMs < 2_000 + stallMs;
    const samples = follow((nowMs) => (isStalled(nowMs) ? 0 : 1.3), 14);
    const lostMs = samples.reduce((sum, { permille }) => sum + 1 - permille / 1_000, 0);
    t.true(lostMs < 100 + 1.3 * stallMs, `${lostMs.toFixed(0)} ms lost by ${stallMs} ms`);
    t.is(samples.at(-1)?.permille, 1_000);
  }
});

test('a backup that recovers gives the guest its whole budget back', (t) => {
  const throttle = new Throttle();
  throttle.begin(0);
  throttle.permille = 100;
  for (let nowMs = 0; nowMs < 10_000; nowMs += 10) {
    throttle.decide(PRIMARY_POLICY, DEFAULT_LIMITS, { nowMs, lagMs: 5, floorPermille: 20 });
  }
  t.is(throttle.permille, 1_000);
});
