/**
 * A number of runs of one litmus test in a thread of their own: harts' threads end with the thread
 * that made them, and a thousand runs make thousands of them.
 */

import { once } from 'node:events';
import { Worker, isMainThread, parentPort, workerData } from 'node:worker_threads';
import { present } from '../../lib/base/assert.js';
import { LITMUS, runLitmus } from './litmus.js';
import { COMPILER, INTERPRETER } from './program.js';
import { Random } from './random.js';

/** Names the data of a thread that this file started. */
const MARK = 'litmus-batch';

export interface BatchPlan {
  /** Of the litmus test. */
  readonly name: string;
  readonly firstRun: number;
  readonly runs: number;
  readonly rounds: number;
  readonly seed: number;
  readonly isChaotic: boolean;
}

export interface BatchResult {
  readonly histogram: ReadonlyMap<string, number>;
  readonly steals: number;
  readonly faults: readonly string[];
}

/** A batch that takes longer than this stands still. */
const BATCH_MS = 300_000;

/** Runs a batch in a thread that ends with it; one that stands still is a fault. */
export async function runBatch(plan: BatchPlan): Promise<BatchResult> {
  const worker = new Worker(new URL(import.meta.url), { workerData: { [MARK]: plan } });
  const giveUp = new AbortController();
  const timer = setTimeout(() => giveUp.abort(), BATCH_MS);
  try {
    const said = (await once(worker, 'message', { signal: giveUp.signal })) as [BatchResult];
    return said[0];
  } catch (error) {
    if (!giveUp.signal.aborted) throw error;
    const fault = `${plan.name}, runs from ${plan.firstRun} on: nothing moves (seed ${plan.seed})`;
    return { histogram: new Map(), steals: 0, faults: [fault] };
  } finally {
    clearTimeout(timer);
    await worker.terminate();
  }
}

function work(plan: BatchPlan): BatchResult {
  const litmus = present(
    LITMUS.find(({ name }) => name === plan.name),
    plan.name,
  );
  const random = new Random(plan.seed);
  const histogram = new Map<string, number>();
  const faults: string[] = [];
  let steals = 0;
  for (let run = plan.firstRun; run < plan.firstRun + plan.runs; run++) {
    const engine = run % 4 === 3 ? INTERPRETER : COMPILER;
    const { rounds, isChaotic } = plan;
    const options = { rounds, random, samePage: run % 2 === 0, isChaotic };
    const result = runLitmus(litmus, options, engine);
    steals += result.steals;
    for (const [outcome, count] of result.histogram) {
      histogram.set(outcome, (histogram.get(outcome) ?? 0) + count);
    }
    if (result.fault !== null) faults.push(`${litmus.name}, run ${run}: ${result.fault}`);
  }
  return { histogram, steals, faults };
}

// This file is also the thread that it starts; other threads may import it.
const given: unknown = isMainThread ? null : workerData;
if (typeof given === 'object' && given !== null && MARK in given) {
  parentPort?.postMessage(work(given[MARK] as BatchPlan));
}
