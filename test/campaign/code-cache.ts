/**
 * `npm run campaign:code-cache -- [--steps N]`: a guest that writes new code and runs it, without
 * end, in 64 address spaces over twice the pages whose code is kept; what its compiled code costs
 * is sampled on the way.
 *
 * Exit status 1 where more regions live than may, where the table of functions outgrows them, where
 * the process holds more memory beyond what it held before than GROWTH_MAX_BYTES, or where between
 * two samples nothing was compiled, as when the guest has died.
 */

import { EXIT_STATUS, LockstepError } from '../../lib/base/error.js';
import { parseCommandLine, type Arguments, type Command } from '../../tools/command.js';
import {
  complaintsOf,
  GROWTH_MAX_BYTES,
  runGenerating,
  type CodeCacheSample,
} from '../support/code-cache-run.js';

const DEFAULT_STEPS = 10_000_000_000;
const MEBIBYTE = 2 ** 20;

const command: Command = {
  usage: ['campaign:code-cache [--steps N]'],
  description: 'Runs a guest that generates code without end, and bounds what that costs.',
  options: { steps: { type: 'string', value: 'N', help: 'to run (10000000000)' } },
  run: runCampaign,
};

function runCampaign(args: Arguments): Promise<number> {
  const steps = BigInt(args.integer('steps', 1_000_000, 2 ** 50) ?? DEFAULT_STEPS);
  const run = runGenerating(steps, (sample) => process.stdout.write(`${lineOf(sample)}\n`));
  const complaints = complaintsOf(run);
  for (const complaint of complaints) process.stdout.write(`${complaint}\n`);
  const most = Math.max(...run.samples.map(({ residentBytes }) => residentBytes));
  const growth = (most - run.residentBefore) / MEBIBYTE;
  process.stdout.write(
    `${steps} steps: ${growth.toFixed(0)} MiB at most beyond the start, ` +
      `${GROWTH_MAX_BYTES / MEBIBYTE} MiB allowed\n`,
  );
  return Promise.resolve(complaints.length === 0 ? 0 : 1);
}

function lineOf({ step, statistics, tableLength, residentBytes }: CodeCacheSample): string {
  const { compiled, live, liveBytes } = statistics;
  return (
    `${step} steps: ${compiled} regions compiled, ${live} live (${liveBytes} bytes of ` +
    `WebAssembly), table of ${tableLength}, resident ${(residentBytes / MEBIBYTE).toFixed(0)} MiB`
  );
}

try {
  process.exitCode = await command.run(parseCommandLine(command, process.argv.slice(2)));
} catch (error) {
  if (!(error instanceof LockstepError)) throw error;
  process.stderr.write(`campaign: ${error.message}\n`);
  process.exitCode = EXIT_STATUS[error.code];
}
