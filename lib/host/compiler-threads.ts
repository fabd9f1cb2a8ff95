/**
 * Lets harts go before V8's compilers: the threads of V8's pool get a lower priority.
 *
 * Node.js starts four of them, however many cores there are. While a guest boots they optimise
 * regions, and on two cores they take time from the hart, which waits for none of them. A lower
 * priority costs nothing where a core is idle. Not the lowest: the pool also helps collecting
 * garbage, and the main thread waits for that.
 */

import { readdirSync, readFileSync } from 'node:fs';
import { getPriority, setPriority } from 'node:os';

/** So much nicer than the process: about a tenth of the weight of its other threads (sched(7)). */
const COMPILER_NICE = 10;
const NICEST = 19;
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
    const lowered = compilerThreads(listThreads(), process.pid, poolSize(givenOptions()));
    const nice = Math.min(NICEST, getPriority(process.pid) + COMPILER_NICE);
    for (const id of lowered) setPriority(id, nice);
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

/** As Node's options say; 0 has Node choose, and then none is told by its order. */
export function poolSize(options: string): number {
  const sizes = [...options.matchAll(/--v8[-_]pool[-_]size[=\s]+(\d+)/g)];
  return Number(sizes.at(-1)?.[1] ?? POOL_SIZE);
}

/** Those of the command line come last, for they win. */
function givenOptions(): string {
  return [process.env['NODE_OPTIONS'] ?? '', ...process.execArgv].join(' ');
}
