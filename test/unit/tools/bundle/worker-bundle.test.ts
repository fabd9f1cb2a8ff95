/**
 * Goal: the worker that runs machines is the one of the sources.
 * Method: the bundle is made again; every test that runs a machine in a worker uses it.
 */

import { readFile } from 'node:fs/promises';
import test from 'ava';
import { BUNDLED_WORKER } from '../../../../lib/host/prepared-worker.js';
import { bundleWorker } from '../../../../tools/bundle/worker-bundle.js';

test('the bundle is what the compiled modules give', async (t) => {
  const [written, made] = await Promise.all([readFile(BUNDLED_WORKER), bundleWorker()]);
  t.true(written.equals(made), 'npm run build writes it anew');
});

test('the bundle holds the machine, and nothing of the protocol', async (t) => {
  const text = await readFile(BUNDLED_WORKER, 'utf8');
  t.true(text.includes('createRiscvMachine'));
  t.false(text.includes('grpc'));
});
