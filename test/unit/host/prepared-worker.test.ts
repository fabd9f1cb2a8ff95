/**
 * Goal: a prepared worker is used once, and one that nobody uses costs nothing.
 * Method: workers of this process, and a process of its own that prepares one and ends.
 */

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import test from 'ava';
import { RISCV_MACHINE } from '../../../lib/host/machine-module.js';
import { prepareWorker, takeWorker } from '../../../lib/host/prepared-worker.js';

const MODULE = new URL('../../../lib/host/prepared-worker.js', import.meta.url).href;

test('a prepared worker is given once; whoever comes next gets a new one', async (t) => {
  prepareWorker();
  prepareWorker();
  const first = takeWorker(RISCV_MACHINE);
  const second = takeWorker(RISCV_MACHINE);
  t.not(first, second);
  await Promise.all([first.terminate(), second.terminate()]);
});

test('a worker that nobody takes does not keep its process alive', async (t) => {
  const script = `const { prepareWorker } = await import(${JSON.stringify(MODULE)}); prepareWorker();`;
  const run = promisify(execFile);
  const { stderr } = await run(process.execPath, ['--input-type=module', '--eval', script], {
    timeout: 60_000,
  });
  t.is(stderr, '');
});
