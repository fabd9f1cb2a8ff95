/**
 * Threads for harts that are held up at random, wherever the order in which they come by decides
 * what happens next: mostly not, now and then for some microseconds, seldom for milliseconds, and
 * one of them, drawn anew for each machine, far more often than the others.
 *
 * What a seed draws is repeatable; what the threads make of it is not, since they really race.
 */

import { isMainThread, Worker, workerData } from 'node:worker_threads';
import { HART_THREADS } from '../../lib/host/hart-threads.js';
import {
  runHartThread,
  type HartThreadStart,
  type ThreadPort,
} from '../../lib/machine/parallel/hart-thread.js';
import type { WaitPort } from '../../lib/machine/parallel/standstill.js';
import { Random } from './random.js';

/** Names the data of a thread that this file started. */
const MARK = 'chaos-thread';
/** One in so many passes is held up for up to `SHORT_US`, one in so many for up to `LONG_MS`. */
const SHORT_ONE_IN = 8;
const SHORT_US = 100;
const LONG_ONE_IN = 1_000;
const LONG_MS = 20;
/** The hart that is starved is held up so many times as often. */
const STARVED_TIMES = 8;

interface ChaosStart {
  readonly start: HartThreadStart;
  readonly seed: number;
  readonly isStarved: boolean;
}

/** Threads of one machine of `harts` harts. */
export function chaosThreads(seed: number, harts: number): ThreadPort {
  const starved = new Random(seed).below(harts);
  return {
    ...chaosPort(seed, starved === 0),
    start: (start) => {
      const { hart } = start;
      const chaos: ChaosStart = { start, seed: seed + hart, isStarved: starved === hart };
      const url = new URL(import.meta.url);
      new Worker(url, { workerData: { [MARK]: chaos }, name: `hart-${hart}` }).unref();
    },
  };
}

function chaosPort(seed: number, isStarved: boolean): WaitPort {
  const random = new Random(seed);
  const times = isStarved ? STARVED_TIMES : 1;
  const sleeper = new Int32Array(new SharedArrayBuffer(4));
  return {
    wait: (ints, index, value) => HART_THREADS.wait(ints, index, value),
    pass: () => {
      if (random.below(LONG_ONE_IN) < times) {
        Atomics.wait(sleeper, 0, 0, random.below(LONG_MS));
      } else if (random.below(SHORT_ONE_IN) === 0) {
        const endNs = process.hrtime.bigint() + BigInt(random.below(SHORT_US * times)) * 1_000n;
        while (process.hrtime.bigint() < endNs);
      }
    },
  };
}

if (!isMainThread) {
  const { [MARK]: chaos } = (workerData ?? {}) as { readonly [MARK]?: ChaosStart };
  if (chaos !== undefined) runHartThread(chaos.start, chaosPort(chaos.seed, chaos.isStarved));
}
