/**
 * The worker thread of a machine, begun before it is known what it will run: the thread starts and
 * loads its code while the main thread still loads the command and reads images. Worth a third of
 * the time to the first instruction.
 */

import { Worker } from 'node:worker_threads';
import { lowerCompilerPriority } from './compiler-threads.js';
import { setEngineFlags } from './engine-flags.js';

/** Module that makes the RISC-V machine. */
export const RISCV_MACHINE = new URL('../machine/riscv-machine.js', import.meta.url).href;

let prepared: Worker | null = null;

/** Starts a worker for the next machine. Unused, it does not keep the process alive. */
export function prepareWorker(): void {
  prepared ??= startWorker();
  prepared.unref();
}

/** A worker that waits for its `WorkerStart`: the prepared one, or a new one. */
export function takeWorker(): Worker {
  const worker = prepared ?? startWorker();
  prepared = null;
  worker.ref();
  return worker;
}

function startWorker(): Worker {
  setEngineFlags();
  lowerCompilerPriority();
  return new Worker(new URL('./hart-worker.js', import.meta.url), {
    name: 'hart-0',
    workerData: RISCV_MACHINE,
  });
}
