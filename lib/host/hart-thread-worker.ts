/** Where the thread of a hart begins that runs in parallel with hart 0. */

import { workerData } from 'node:worker_threads';
import { runHartThread, type HartThreadStart } from '../machine/parallel/hart-thread.js';
import { HART_THREADS } from './hart-threads.js';

runHartThread(workerData as HartThreadStart, HART_THREADS);
