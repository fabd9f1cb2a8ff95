/** Properties: the threads of V8's pool yield to harts, and no other thread does. */

import { getPriority } from 'node:os';
import { readdirSync } from 'node:fs';

import test from 'ava';

import { compilerThreads, lowerCompilerPriority } from '../../../lib/host/compiler-threads.js';

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

test('the pool of this process, and nothing else of it, gets a lower priority', (t) => {
  const before = getPriority();
  const lowered = lowerCompilerPriority();
  if (process.platform !== 'linux') {
    t.deepEqual(lowered, []);
    return;
  }
  t.true(lowered.length > 0);
  for (const entry of readdirSync('/proc/self/task')) {
    const id = Number(entry);
    t.is(getPriority(id), lowered.includes(id) ? Math.max(10, before) : before, entry);
  }
  t.false(lowered.includes(process.pid));
});
