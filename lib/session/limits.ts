/**
 * The figures of a recording session, each with its reason. Replay depends on none of them: a log
 * says itself where its checks and horizons are.
 */

import { assert } from '../base/assert.js';

/** A slice bounds how long input and the other thread's orders wait; it costs some microseconds. */
export const SLICE_NS = 200_000n;

/** Steps of the first slice, before it is known how fast the guest runs. */
export const SLICE_STEPS = 20_000n;

/** A guest that runs this fast for a slice may be slower by a factor of 30 in the next. */
export const MAX_SLICE_STEPS = 800_000n;
/** The same for harts that run in parallel: all of them together. */
export const PARALLEL_SLICE_NS = 2_000_000n;
export const PARALLEL_MAX_SLICE_STEPS = 8_000_000n;

/** While bytes come and go, a shorter slice answers sooner. */
export const SHORT_SLICE_STEPS = 5_000n;

/** Checks of words cost some hundred bytes of log each: 50 kB/s at 500 M steps/s. */
export const CHECK_INTERVAL_STEPS = 2_000_000n;

/**
 * A check at an output mark finds a difference near the output. A guest that speaks all the time,
 * as a server does, has two checks for one of a silent guest: a tenth of its log.
 */
export const MARK_CHECK_INTERVAL_STEPS = 1_000_000n;

/** Hashing the pages written costs a few percent of the time at this interval. */
export const PAGE_CHECK_INTERVAL_STEPS = 16_000_000n;

/**
 * A follower lags by at least this while the guest runs on without events. Each horizon is a batch
 * of log to write, send, check and acknowledge: some 100 microseconds on either side.
 */
export const HORIZON_INTERVAL_NS = 5_000_000n;

assert(SHORT_SLICE_STEPS < SLICE_STEPS, 'a short slice is shorter');
assert(SLICE_STEPS < MAX_SLICE_STEPS, 'a slice may grow');
assert(MAX_SLICE_STEPS < CHECK_INTERVAL_STEPS, 'a check covers several slices');
assert(MARK_CHECK_INTERVAL_STEPS < CHECK_INTERVAL_STEPS, 'marks bring checks forward');
assert(CHECK_INTERVAL_STEPS < PAGE_CHECK_INTERVAL_STEPS, 'pages cost more than words');
