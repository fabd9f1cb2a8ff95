/**
 * Goal: what two harts make of a race differs from run to run, and every replay agrees with its
 * run.
 * Method: the demonstration itself, as a user calls it.
 */

import { spawnSync } from 'node:child_process';
import test from 'ava';
import { LOCKSTEP } from '../support/lockstep-process.js';

const RUNS = 3;

test('runs differ, replays agree', (t) => {
  t.timeout(180_000);
  const words = [LOCKSTEP, 'demo', 'steal', '--runs', String(RUNS), '--json'];
  const { status, stdout, stderr } = spawnSync(process.execPath, words, { encoding: 'utf8' });
  t.is(status, 0, stderr);
  const { counts, agreed, runs } = JSON.parse(stdout) as {
    counts: number;
    agreed: number;
    runs: { count: string; steals: unknown[]; checks: number }[];
  };
  t.is(agreed, RUNS);
  t.true(counts > 1, `${RUNS} races, ${counts} results`);
  for (const run of runs) {
    t.regex(run.count, /^[1-9]\d*$/);
    t.true(run.steals.length > 0 && run.checks > 0);
  }
});

test('a demonstration that is none is refused', (t) => {
  const { status, stderr } = spawnSync(process.execPath, [LOCKSTEP, 'demo', 'stale'], {
    encoding: 'utf8',
  });
  t.is(status, 2);
  t.regex(stderr, /no demonstration "stale"/);
});
