/**
 * The worker thread of a machine, begun before it is known what it will run: the thread starts and
 * loads its code while the main thread still loads the command and reads images. Worth a third of
 * the time to the first instruction.
 */

import { existsSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { lowerCompilerPriority } from './compiler-threads.js';
import { setEngineFlags } from './engine-flags.js';
import { RISCV_MACHINE } from './machine-module.js';

/** The module in which a worker begins, and all that it loads in one file (`tools/bundle`). */
export const HART_WORKER = new URL('./hart-worker.js', import.meta.url);
export const BUNDLED_WORKER = new URL('./hart-worker.bundle.js', import.meta.url);

/** For the RISC-V machine. */
let prepared: Worker | null = null;

/** Starts a worker for the next machine. Unused, it does not keep the process alive. */
export function prepareWorker(): void {
  prepared ??= startWorker(RISCV_MACHINE);
  prepared.unref();
}

/**
 * A worker that waits for a `WorkerStart` with this factory of machines: the prepared one, or a new
 * one.
 */
export function takeWorker(machineFactory: string): Worker {
  if (prepared === null || machineFactory !== RISCV_MACHINE) return startWorker(machineFactory);
  const worker = prepared;
  prepared = null;
  worker.ref();
  return worker;
}

function startWorker(machineFactory: string): Worker {
  setEngineFlags();
  lowerCompilerPriority();
  // A factory of its own loads modules that would be in the thread twice.
  const isBundled = machineFactory === RISCV_MACHINE && existsSync(BUNDLED_WORKER);
  return new Worker(isBundled ? BUNDLED_WORKER : HART_WORKER, { name: 'hart-0' });
}
