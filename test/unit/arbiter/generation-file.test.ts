/**
 * Goal: for one (machine, generation) exactly one holder wins, once, for ever; without a directory
 * nobody does.
 * Method: claims in one process, a thousand races between two processes, and broken directories.
 */

import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { GenerationFileArbiter, parseArbiter } from '../../../lib/arbiter/generation-file.js';
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

test('only file:DIR names an arbiter', (t) => {
  t.notThrows(() => parseArbiter('file:/tmp'));
  for (const text of ['file:', '/tmp', 'etcd:x']) {
    t.like(
      t.throws(() => parseArbiter(text)),
      { code: 'USAGE' },
    );
  }
});

async function racer(t: ExecutionContext, directory: string, name: string): Promise<ChildProcess> {
  const script = new URL('../../support/arbiter-racer.js', import.meta.url).pathname;
  const child = fork(script, [directory, name]);
  t.teardown(() => child.kill('SIGKILL'));
  await once(child, 'message');
  return child;
}

async function ask(child: ChildProcess, generation: number): Promise<string> {
  const answer = once(child, 'message');
  child.send({ machine: 'm', generation: `${generation}` });
  const [message]: { outcome: string }[] = await answer;
  return message?.outcome ?? 'none';
}

test(`of two processes that claim at once exactly one wins, ${RACES} times`, async (t) => {
  const path = folder(t);
  const racers = await Promise.all([racer(t, path, 'a'), racer(t, path, 'b')]);
  const wins = [0, 0];
  for (let generation = 1; generation <= RACES; generation += 1) {
    const outcomes = await Promise.all(racers.map((child) => ask(child, generation)));
    const won = outcomes.indexOf('won');
    if (won < 0 || outcomes[1 - won] !== 'lost') {
      t.fail(`generation ${generation}: ${outcomes.join(' and ')}`);
      return;
    }
    wins[won] = (wins[won] ?? 0) + 1;
  }
  t.log(`won by the first ${wins[0]} times, by the second ${wins[1]} times`);
  t.is((wins[0] ?? 0) + (wins[1] ?? 0), RACES);
});
