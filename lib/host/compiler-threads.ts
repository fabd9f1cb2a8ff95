/**
 * Lets harts go before V8's compilers: the threads of V8's pool get a lower priority.
 *
 * Node.js starts four of them, however many cores there are. Where a guest boots, all four optimise
 * regions at once, and on two cores the hart that waits for none of them gets less than half of
 * one. A lower priority costs nothing where a core is idle. Not the lowest: the pool also helps
 * collecting garbage, and the main thread waits for that.
 */

import { readdirSync, readFileSync } from 'node:fs';
import { setPriority } from 'node:os';

/** A tenth of the weight of a thread of usual priority (sched(7)). */
const COMPILER_NICE = 10;
/** What Node.js starts if it is not told otherwise. */
const POOL_SIZE = 4;
const THREADS = '/proc/self/task';
/** Above every thread id of Linux: they are given out in order and start again at the bottom. */
const THREAD_IDS = 2 ** 22;

export interface HostThread {
  readonly id: number;
  readonly name: string;
}

/**
 * Lowers the priority of V8's pool where the host is Linux, and returns the threads it was done
 * for; elsewhere, or where it is not allowed, everything stays as it is.
 */
export function lowerCompilerPriority(): readonly number[] {
  if (process.platform !== 'linux') return [];
  try {
    const lowered = compilerThreads(listThreads(), process.pid, poolSize());
    for (const id of lowered) setPriority(id, COMPILER_NICE);
    return lowered;
  } catch {
    return [];
  }
}

/**
 * Those of a process's threads that are V8's pool. Node.js 24 names them; before, they are told by
 * the order in which they began: the main thread, the pool's timer, the pool.
 */
export function compilerThreads(
  threads: readonly HostThread[],
  mainThread: number,
  size: number,
): readonly number[] {
  const named = threads.filter(({ name }) => name.endsWith('V8Worker'));
  const age = ({ id }: HostThread): number => (id - mainThread + THREAD_IDS) % THREAD_IDS;
  const inOrder = [...threads].sort((a, b) => age(a) - age(b));
  return (named.length > 0 ? named : inOrder.slice(2, 2 + size)).map(({ id }) => id);
}

function listThreads(): readonly HostThread[] {
  return readdirSync(THREADS).map((entry) => ({
    id: Number(entry),
    name: readFileSync(`${THREADS}/${entry}/comm`, 'utf8').trim(),
  }));
}

/** As the command line or NODE_OPTIONS say; 0 has V8 choose, and then none is told by its order. */
function poolSize(): number {
  const given = [...(process.env['NODE_OPTIONS'] ?? '').split(/\s+/), ...process.execArgv];
  const sizes = given.flatMap((option) => /^--v8-pool-size=(\d+)$/.exec(option)?.[1] ?? []);
  return Number(sizes.at(-1) ?? POOL_SIZE);
}
