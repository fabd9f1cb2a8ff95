/**
 * `npm run campaign:blocks -- [--instructions N] [--seed S]`: random blocks of guest code on QEMU
 * and on Lockstep with every jump target compiled when it is met first.
 *
 * Blocks trap, change their own code, reach memory misaligned and across pages; a part of them runs
 * in S or U mode behind page tables. Each is run from several states, and twice from each. A
 * difference is narrowed down to its instruction and printed with its seed. N counts the
 * instructions inside the blocks, once for each state.
 */

import { EXIT_STATUS, LockstepError } from '../../lib/base/error.js';
import { parseCommandLine, type Arguments, type Command } from '../../tools/command.js';
import { explainDifference, findDifference, type Campaign } from '../isa/differential/campaign.js';
import {
  COMPILED,
  countInside,
  blocksFromStates,
  qemuContestant,
  THOROUGH,
  type Setting,
} from '../isa/differential/contestants.js';
import { findQemu } from '../support/qemu.js';

/** The second run from a state finds its code compiled, and what the first one patched. */
const ROUNDS = 2;
/** States that each block is run from. */
const STATES = 8;
/** In turn, and how many at once. */
const BATCHES: readonly (readonly [Setting, number])[] = [
  ['machine mode', 1500],
  ['machine mode', 1500],
  ['translated', 1500],
];
const DEFAULT_INSTRUCTIONS = 10_000_000;
const DEFAULT_SEED = 50_000_000;

const command: Command = {
  usage: ['campaign:blocks [--instructions N] [--seed S]'],
  description: 'Runs random blocks of guest code compiled, and compares with QEMU.',
  options: {
    instructions: { type: 'string', value: 'N', help: 'random instructions to run (10000000)' },
    seed: { type: 'string', value: 'S', help: 'of the first block (50000000)' },
  },
  run: runCampaign,
};

async function runCampaign(args: Arguments): Promise<number> {
  const wanted = BigInt(args.integer('instructions', 1, 2 ** 40) ?? DEFAULT_INSTRUCTIONS);
  let seed = args.integer('seed', 0, 0x7fff_ffff) ?? DEFAULT_SEED;
  const qemu = await findQemu();
  if (qemu === null)
    throw new LockstepError('MISSING_TOOL', 'qemu-system-riscv64 is not installed');
  const right = qemuContestant(qemu);
  const begun = performance.now();
  let inside = 0n;
  for (let batch = 0; inside < wanted; batch++) {
    // Settings and tiers take turns, so that each setting meets both tiers.
    const left = Math.floor(batch / BATCHES.length) % 2 === 0 ? THOROUGH : COMPILED;
    const campaign: Campaign = { left, right, rounds: ROUNDS };
    const [setting, count] = BATCHES[batch % BATCHES.length] ?? ['machine mode', 1];
    const blocks = blocksFromStates(setting, { first: seed, count, states: STATES });
    const differing = await findDifference(campaign, blocks);
    if (differing !== null) {
      process.stdout.write(`${await explainDifference(campaign, differing)}\n`);
      return 1;
    }
    seed += count;
    inside += countInside(blocks);
    const seconds = (performance.now() - begun) / 1000;
    process.stdout.write(`${inside} instructions, next seed ${seed}, ${seconds.toFixed(0)} s\n`);
  }
  process.stdout.write(`${inside} random instructions compiled, 0 differences from QEMU\n`);
  return 0;
}

try {
  process.exitCode = await command.run(parseCommandLine(command, process.argv.slice(2)));
} catch (error) {
  if (!(error instanceof LockstepError)) throw error;
  process.stderr.write(`campaign: ${error.message}\n`);
  process.exitCode = EXIT_STATUS[error.code];
}
