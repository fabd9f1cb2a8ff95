/**
 * Goal: the throttle finds the speed of a slow backup, keeps the lag near its target and does not
 * oscillate.
 * Method: a backup of fixed speed as a formula; work is what the guest was allowed to do.
 */

import test from 'ava';
import { DEFAULT_LIMITS } from '../../../lib/protocol/limits.js';
import { PRIMARY_POLICY } from '../../../lib/protocol/primary-policy.js';
import { Throttle } from '../../../lib/protocol/throttle.js';

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

for (const speed of [0.1, 0.3, 0.6, 0.9]) {
  test(`a backup of ${speed * 100}% speed settles`, (t) => {
    const late = follow(speed, 30).slice(10_000);
    const lag = Math.max(...late.map((sample) => sample.lagMs));
    t.true(lag <= 3 * DEFAULT_LIMITS.lagTargetMs, `lag ${lag} ms`);
    const mean = late.reduce((sum, sample) => sum + sample.permille, 0) / late.length / 1000;
    t.true(mean > speed * 0.75 && mean <= speed * 1.05, `mean share ${mean.toFixed(2)}`);
    let turns = 0;
    let direction = 0;
    for (const [index, sample] of late.entries()) {
      const change = Math.sign(sample.permille - (late[index - 1]?.permille ?? sample.permille));
      if (change === 0) continue;
      if (direction !== 0 && change !== direction) turns += 1;
      direction = change;
    }
    t.true(turns <= 20 * 4, `${turns} turns in 20 s`);
  });
}

test('a backup that is fast enough leaves the guest alone', (t) => {
  t.true(follow(1.5, 5).every((sample) => sample.permille === 1_000));
});

test('a backup that stands still for a moment costs the guest little more than that', (t) => {
  for (const stallMs of [200, 400, 600, 1_000]) {
    const isStalled = (nowMs: number): boolean => nowMs > 2_000 && nowMs < 2_000 + stallMs;
    const samples = follow((nowMs) => (isStalled(nowMs) ? 0 : 1.3), 14);
    const lostMs = samples.reduce((sum, { permille }) => sum + 1 - permille / 1_000, 0);
    t.true(lostMs < 700 + 1.5 * stallMs, `${lostMs.toFixed(0)} ms lost by ${stallMs} ms`);
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
