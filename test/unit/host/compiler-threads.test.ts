/**
 * Goal: the threads of V8's pool yield to harts, and no other thread does.
 * Method: thread lists as versions of Node.js have them, and processes of their own.
 */

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import test from 'ava';
import { compilerThreads, poolSize } from '../../../lib/host/compiler-threads.js';

const MODULE = new URL('../../../lib/host/compiler-threads.js', import.meta.url).href;

/** Prints how much nicer each thread is than the main thread, those of the pool first. */
const LOOK = `
  const { readdirSync } = await import('node:fs');
  const { getPriority } = await import('node:os');
  const { lowerCompilerPriority } = await import(${JSON.stringify(MODULE)});
  const pool = lowerCompilerPriority();
  const others = readdirSync('/proc/self/task').map(Number).filter((id) => !pool.includes(id));
  const nicer = (ids) => ids.map((id) => getPriority(id) - getPriority(process.pid));
  console.log(JSON.stringify({ pool: nicer(pool), others: nicer(others) }));
`;

const threads = (...names: readonly string[]) => names.map((name, id) => ({ id: 100 + id, name }));

test('threads with a name are told by it', (t) => {
  const node24 = threads(
    'MainThread',
    'DelayedTaskSche',
    'V8Worker',
    'V8Worker',
    'SignalInspector',
  );
  t.deepEqual(compilerThreads(node24, 100, 4), [102, 103]);
  const node26 = threads('node-MainThread', 'DelayedTaskSche', 'node-V8Worker', 'libuv-worker');
  t.deepEqual(compilerThreads(node26, 100, 4), [102]);
});

test('threads without a name are told by their order', (t) => {
  const node20 = threads(...Array<string>(11).fill('node'));
  t.deepEqual(compilerThreads([...node20].reverse(), 100, 4), [102, 103, 104, 105]);
  t.deepEqual(compilerThreads(node20, 100, 0), []);
  // Thread ids start again at the bottom.
  t.deepEqual(compilerThreads(node20, 108, 2), [110, 100]);
});

test('the size of the pool is what the options of Node say, the last of them', (t) => {
  t.is(poolSize(''), 4);
  t.is(poolSize('--v8-pool-size=2 --v8_pool_size 3'), 3);
});

test('the pool gets a lower priority than the process, and nothing else does', async (t) => {
  const node = [process.execPath, '--v8-pool-size=2', '--input-type=module', '--eval', LOOK];
  for (const [nice, lower] of [
    [0, 10],
    [12, 7],
  ] as const) {
    const run = promisify(execFile);
    const { stdout } = await run('nice', ['-n', `${nice}`, ...node], { timeout: 60_000 });
    const { pool, others } = JSON.parse(stdout) as { pool: number[]; others: number[] };
    t.deepEqual(pool, [lower, lower]);
    t.true(others.length > 0 && others.every((one) => one === 0));
  }
});
