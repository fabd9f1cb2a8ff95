/**
 * Threads for harts that run in parallel. The thread that starts them never comes back to its event
 * loop, so nothing here waits for messages: what they have to say is in the machine's memory.
 */

import { Worker } from 'node:worker_threads';
import type { ThreadPort } from '../machine/parallel/hart-thread.js';

/** A thread that waits looks again after this long, should a notification have been missed. */
const LONGEST_WAIT_MS = 100;

export const HART_THREADS: ThreadPort = {
  start: (start) => {
    const worker = new Worker(new URL('./hart-thread-worker.js', import.meta.url), {
      workerData: start,
      name: `hart-${start.hart}`,
    });
    worker.unref();
  },
  wait: (ints, index, value) => void Atomics.wait(ints, index, value, LONGEST_WAIT_MS),
};
