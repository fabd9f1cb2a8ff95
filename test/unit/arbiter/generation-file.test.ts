/**
 * Goal: for one (machine, generation) exactly one holder wins, once, for ever; without a directory
 * nobody does.
 * Method: claims in one process, a thousand races between two processes, and broken directories.
 */

import { chmodSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { GenerationFileArbiter } from '../../../lib/arbiter/generation-file.js';
import { race } from '../../support/arbiter-race.js';
import { smallDisk } from '../../support/small-disk.js';

const RACES = 1_000;

function folder(t: ExecutionContext): string {
  const path = mkdtempSync(join(tmpdir(), 'lockstep-arbiter-'));
  t.teardown(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

function holder(name: string): { address: string; incarnation: string } {
  return { address: `127.0.0.1:${name.length}`, incarnation: name };
}

test('the first claim wins, every other is told the holder', async (t) => {
  const arbiter = new GenerationFileArbiter(folder(t));
  const claim = { machine: 'm', generation: 1n };
  t.is(await arbiter.newest('m'), null);
  t.deepEqual(await arbiter.claim({ ...claim, holder: holder('a') }), { outcome: 'won' });
  t.deepEqual(await arbiter.claim({ ...claim, holder: holder('b') }), {
    outcome: 'lost',
    holder: holder('a'),
  });
  t.like(await arbiter.newest('m'), { generation: 1n, holder: holder('a') });
});

test('a claim may be repeated by its holder, not by its next life', async (t) => {
  const arbiter = new GenerationFileArbiter(folder(t));
  const claim = { machine: 'm', generation: 1n, holder: holder('a') };
  await arbiter.claim(claim);
  t.deepEqual(await arbiter.claim(claim), { outcome: 'won' });
  const reborn = { ...claim, holder: { ...claim.holder, incarnation: 'a2' } };
  t.deepEqual(await arbiter.claim(reborn), { outcome: 'lost', holder: holder('a') });
});

test('a generation below the newest is lost, although nobody holds it', async (t) => {
  const arbiter = new GenerationFileArbiter(folder(t));
  await arbiter.claim({ machine: 'm', generation: 5n, holder: holder('a') });
  const late = { machine: 'm', generation: 4n, holder: holder('b') };
  t.deepEqual(await arbiter.claim(late), { outcome: 'lost', holder: holder('a') });
});

test('machines are independent, also where one name begins another', async (t) => {
  const arbiter = new GenerationFileArbiter(folder(t));
  for (const machine of ['m', 'm.generation-1', 'm2']) {
    const claim = { machine, generation: 1n, holder: holder(machine) };
    t.deepEqual(await arbiter.claim(claim), { outcome: 'won' });
  }
  t.is((await arbiter.newest('m'))?.generation, 1n);
});

test('a claim leaves one complete file and no other', async (t) => {
  const path = folder(t);
  const arbiter = new GenerationFileArbiter(path);
  await arbiter.claim({ machine: 'm', generation: 1n, holder: holder('a') });
  await arbiter.claim({ machine: 'm', generation: 1n, holder: holder('b') });
  t.deepEqual(readdirSync(path), ['m.generation-1.json']);
});

test('a directory that is missing, unwritable or damaged is unavailable, never an answer', async (t) => {
  const path = folder(t);
  const claim = { machine: 'm', generation: 1n, holder: holder('a') };
  const missing = new GenerationFileArbiter(join(path, 'missing'));
  for (const attempt of [missing.check(), missing.claim(claim), missing.newest('m')]) {
    await t.throwsAsync(attempt, { message: /must exist before/ });
  }
  writeFileSync(join(path, 'm.generation-1.json'), '{"machine":"m"');
  const damaged = new GenerationFileArbiter(path);
  const error = await t.throwsAsync(damaged.claim(claim));
  t.like(error, { code: 'ARBITER_UNAVAILABLE' });
  // Root may write anywhere but on a file system that is read-only.
  const isRoot = process.getuid?.() === 0;
  const readOnly = isRoot ? smallDisk(t, 'ro') : path;
  if (readOnly === null) return;
  if (!isRoot) chmodSync(path, 0o500);
  const unwritable = new GenerationFileArbiter(readOnly);
  t.like(await t.throwsAsync(unwritable.check()), { code: 'ARBITER_UNAVAILABLE' });
});

test(`of two processes that claim at once exactly one wins, ${RACES} times`, async (t) => {
  await race(t, `file:${folder(t)}`, RACES);
});
