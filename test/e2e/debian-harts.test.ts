/**
 * Goal: Debian boots on several harts, by turns and in parallel, does work on all of them, and what
 * was recorded replays in another process to equal checks and the same end.
 * Method: the real commands. The work are pipelines that pass data between processes, and sums of
 * it that must come out right. `npm run campaign:kills -- --guest debian --harts 2 --parallel`
 * kills primaries under such work.
 *
 * Skipped, with a message, where Debian's images can't be had.
 */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { bootFlags, PROMPT } from '../support/debian-recording.js';
import { debianImage } from '../support/debian.js';
import { lockstep, LockstepProcess } from '../support/lockstep-process.js';

const LIMIT_MS = 600_000;

/** Each pipeline sums the numbers up to 3000 in another process than that which counts them. */
const PIPELINE = 'seq 3000 | (s=0; while read n; do s=$((s+n)); done; echo sum $s) & ';
const SUM = (3000 * 3001) / 2;

interface Recorded {
  readonly output: string;
  readonly stateLine: string;
}

async function recordWork(
  t: ExecutionContext,
  log: string,
  flags: readonly string[],
  pipelines: number,
): Promise<Recorded | null> {
  const image = await debianImage(t);
  if (image === null) return null;
  const command = new LockstepProcess([
    ...['record', '--log', log, '--state-hash'],
    ...bootFlags(image),
    ...flags,
  ]);
  await command.says(PROMPT);
  command.send('grep -c ^hart /proc/cpuinfo\n');
  command.send(`${PIPELINE.repeat(pipelines)}wait; echo answer $((6 * 7))\n`);
  await command.says('\nanswer 42');
  command.send('exit\n');
  const { status, stdout, stderr } = await command.end();
  t.is(status, 0, stdout + stderr);
  return { output: stdout, stateLine: /^state-hash .*$/m.exec(stdout)?.[0] ?? '' };
}

const CASES = [
  { name: '2 harts in parallel', harts: 2, flags: ['--harts', '2', '--parallel'] },
  { name: '4 harts by turns', harts: 4, flags: ['--harts', '4'] },
  { name: '4 harts in parallel', harts: 4, flags: ['--harts', '4', '--parallel'] },
] as const;

for (const { name, harts, flags } of CASES) {
  test.serial(`Debian works on ${name}, and replays to the same end`, async (t) => {
    t.timeout(LIMIT_MS);
    const folder = mkdtempSync(join(tmpdir(), 'lockstep-harts-'));
    t.teardown(() => rmSync(folder, { recursive: true, force: true }));
    const log = join(folder, 'log');
    const recorded = await recordWork(t, log, flags, harts + 1);
    if (recorded === null) return;
    const sums = [...recorded.output.matchAll(/^sum (\d+)\r$/gm)].map(([, sum]) => Number(sum));
    t.deepEqual(sums, Array<number>(harts + 1).fill(SUM));
    const replayed = await lockstep(['replay', '--log', log, '--state-hash']);
    t.is(replayed.status, 0, replayed.stderr);
    t.regex(replayed.stdout, new RegExp(`^${recorded.stateLine}$`, 'm'));
    const { stdout } = await lockstep(['log', 'stat', log]);
    t.log(
      stdout
        .split('\n')
        .filter((line) => /^(hart|together|steal)/.test(line))
        .join('\n'),
    );
  });
}
