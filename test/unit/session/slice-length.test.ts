/**
 * Goal: a slice takes about the time it should, whatever the guest's speed, and is short while
 * somebody waits.
 * Method: slices of known speed are noted; times are made up.
 */

import test from 'ava';
import {
  MAX_SLICE_STEPS,
  SHORT_SLICE_STEPS,
  SLICE_NS,
  SLICE_STEPS,
} from '../../../lib/session/limits.js';
import { SliceLength } from '../../../lib/session/slice-length.js';

function settle(length: SliceLength, stepsPerMicrosecond: bigint): bigint {
  let steps = length.next();
  for (let slice = 0; slice < 12; slice += 1) {
    length.note((steps * 1000n) / stepsPerMicrosecond, steps);
    steps = length.next();
  }
  return steps;
}

test('a slice comes to take its time, at any speed', (t) => {
  for (const speed of [60n, 300n, 1500n]) {
    const steps = settle(new SliceLength(false), speed);
    const elapsedNs = (steps * 1000n) / speed;
    t.true(elapsedNs > (SLICE_NS * 9n) / 10n && elapsedNs <= SLICE_NS, `${speed}: ${elapsedNs}`);
  }
});

test('a slice is bounded for the fastest and the slowest guest', (t) => {
  t.is(settle(new SliceLength(false), 1_000_000n), MAX_SLICE_STEPS);
  t.is(settle(new SliceLength(false), 1n), SHORT_SLICE_STEPS);
});

test('a slice is short while somebody waits, and grows by doubling', (t) => {
  const length = new SliceLength(false);
  settle(length, 1000n);
  length.shorten();
  const seen = [length.next(), length.next(), length.next()];
  t.deepEqual(seen, [SHORT_SLICE_STEPS, SHORT_SLICE_STEPS * 2n, SHORT_SLICE_STEPS * 4n]);
});

test('a slice that ended at once, or took no time, says nothing', (t) => {
  const length = new SliceLength(false);
  length.note(1_000_000n, SHORT_SLICE_STEPS - 1n);
  length.note(0n, SLICE_STEPS);
  t.is(length.next(), SLICE_STEPS);
  t.is(length.next(), SLICE_STEPS);
});
