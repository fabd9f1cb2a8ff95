/**
 * `npm run campaign:boot -- [--seconds S] [--rate R] [--engine NAME]`: boots Debian once by
 * `lockstep run`, types at its shell, lets it power off, and measures.
 *
 *   boot    from the start of the process to the shell's prompt, in seconds
 *   rate    steps a second from power-on to power-off, in millions
 *
 * Exit status 1 where the boot takes longer than S or the rate is below R. Times are of this host,
 * as busy as it is: its load is told beside them.
 */

import { readFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { LockstepError } from '../../lib/base/error.js';
import type { Arguments, Command } from '../../tools/command.js';
import { toJsonLine } from '../../tools/output.js';
import { runCampaign } from '../support/campaign-main.js';
import { bootFlags, PROMPT } from '../support/debian-recording.js';
import { cachedDebianImage } from '../support/debian.js';
import { LockstepProcess } from '../support/lockstep-process.js';
import { makeTemporaryFolder, removeTemporaryFolder } from '../support/temporary-folder.js';

const command: Command = {
  usage: ['campaign:boot -- [--seconds S] [--rate R] [--engine NAME] [--json]'],
  description: 'Measures how long Debian takes to its shell, and the rate of the engine.',
  options: {
    seconds: { type: 'string', value: 'S', help: 'the longest boot that is accepted' },
    rate: { type: 'string', value: 'R', help: 'the lowest rate, in million steps a second' },
    engine: { type: 'string', value: 'NAME', help: 'compiler or interpreter (compiler)' },
    json: { type: 'boolean', help: 'the figures as one JSON object' },
  },
  run: measure,
};

interface Figures {
  readonly bootSeconds: number;
  readonly millionStepsPerSecond: number;
  readonly steps: number;
  readonly exitStatus: number | null;
  readonly load: number;
}

async function measure(args: Arguments): Promise<number> {
  const figures = await boot(args.text('engine') ?? 'compiler');
  const { bootSeconds, millionStepsPerSecond, steps, exitStatus, load } = figures;
  const text =
    `boot to the shell ${bootSeconds.toFixed(1)} s; ${millionStepsPerSecond.toFixed(0)} million ` +
    `steps a second over ${(steps / 1e6).toFixed(0)} million; load ${load.toFixed(1)}`;
  process.stdout.write(`${args.flag('json') ? toJsonLine(figures) : text}\n`);
  const longest = args.integer('seconds', 1, 86_400) ?? Infinity;
  const least = args.integer('rate', 1, 1_000_000) ?? 0;
  const isKept = bootSeconds <= longest && millionStepsPerSecond >= least;
  return isKept && exitStatus === 0 ? 0 : 1;
}

async function boot(engine: string): Promise<Figures> {
  const image = await cachedDebianImage();
  const folder = makeTemporaryFolder('boot');
  try {
    const stats = join(folder, 'stats.json');
    const begun = performance.now();
    const words = ['run', ...bootFlags(image), '--engine', engine, '--stats', stats];
    const guest = new LockstepProcess(words);
    await guest.says(PROMPT);
    const bootSeconds = (performance.now() - begun) / 1000;
    guest.send('echo answer $((6 * 7))\n');
    await guest.says('\nanswer 42');
    guest.send('exit\n');
    const { status, stderr } = await guest.end();
    if (status !== 0) throw new LockstepError('GUEST_STOPPED', `status ${status}: ${stderr}`);
    const { steps, millionStepsPerSecond } = JSON.parse(readFileSync(stats, 'utf8')) as Figures;
    const load = loadavg()[0] ?? 0;
    return { bootSeconds, millionStepsPerSecond, steps, exitStatus: status, load };
  } finally {
    removeTemporaryFolder(folder);
  }
}

await runCampaign(command);
