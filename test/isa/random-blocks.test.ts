/**
 * Goal: no instruction gives another result than on an independent implementation, in registers,
 * floating-point registers, flags, traps or memory; interpreted and compiled alike.
 * Method: random blocks (see differential/) on Lockstep and on QEMU; a difference is narrowed down
 * to the instruction and printed.
 *
 * LOCKSTEP_ISA_SEED and LOCKSTEP_ISA_BLOCKS choose other and more blocks. QEMU 7.2 differs from
 * the specification in a few places that the blocks avoid; they have tests of their own in
 * vectors.test.ts.
 */

import test, { type ExecutionContext } from 'ava';
import { findQemu } from '../support/qemu.js';
import type { Block } from './differential/block.js';
import {
  explainDifference,
  findDifference,
  type Campaign,
  type Contestant,
} from './differential/campaign.js';
import {
  BLOCKS_PER_IMAGE,
  COMPILED,
  countInside,
  INTERPRETED,
  makeBlocks,
  blocksFromStates,
  qemuContestant,
  SETTINGS,
  THOROUGH,
  UNITS_PER_BLOCK,
  type Setting,
} from './differential/contestants.js';
import { buildImage } from './differential/image.js';

const SEED = Number(process.env['LOCKSTEP_ISA_SEED'] ?? 20_000_000);
const BLOCKS = Number(process.env['LOCKSTEP_ISA_BLOCKS'] ?? 18_000);
/** Compiling a block takes far longer than running it, so fewer of them are compiled. */
const COMPILED_BLOCKS: Readonly<Record<Setting, number>> = {
  'machine mode': Math.ceil(BLOCKS / 12),
  translated: Math.ceil(BLOCKS / 24),
};
const TRANSLATED_BLOCKS = Math.ceil(BLOCKS / 9);
const PROMISED_INSTRUCTIONS = 1_000_000n;
/** States that a compiled block is run from. */
const COMPILED_STATES = 8;
/** The first round compiles, the second runs compiled code, the third finds it warm. */
const COMPILED_ROUNDS = 3;

/** Runs the campaign in images of bounded size; fails the test at the first difference. */
async function runCampaign(
  t: ExecutionContext,
  campaign: Campaign,
  setting: Setting,
  count: number,
  options: {
    readonly states?: number;
    readonly agreed?: (blocks: readonly Block[]) => void;
  } = {},
): Promise<void> {
  const { states = 1, agreed } = options;
  const perImage = Math.ceil(BLOCKS_PER_IMAGE[setting] / states);
  for (let first = SEED; first < SEED + count; first += perImage) {
    const blocks = blocksFromStates(setting, {
      first,
      count: Math.min(perImage, SEED + count - first),
      states,
    });
    const differing = await findDifference(campaign, blocks);
    if (differing !== null) {
      t.fail(await explainDifference(campaign, differing));
      return;
    }
    agreed?.(blocks);
  }
  const times = states === 1 ? '' : `, each from ${states} states`;
  t.log(`${count} blocks of ${UNITS_PER_BLOCK} units, seeds from ${SEED}${times}`);
  t.pass();
}

async function findQemuContestant(t: ExecutionContext): Promise<Contestant | null> {
  const program = await findQemu();
  if (program !== null) return qemuContestant(program);
  t.log('skipped: qemu-system-riscv64 is not installed');
  t.pass();
  return null;
}

test.serial('random blocks give the same state as on QEMU (skipped without QEMU)', async (t) => {
  const qemu = await findQemuContestant(t);
  if (qemu === null) return;
  const campaign: Campaign = { left: INTERPRETED, right: qemu, rounds: 1 };
  let inside = 0n;
  await runCampaign(t, campaign, 'machine mode', BLOCKS, {
    agreed: (blocks) => {
      inside += countInside(blocks);
    },
  });
  t.log(`${inside} random instructions`);
  if (BLOCKS >= 18_000) t.true(inside >= PROMISED_INSTRUCTIONS, `only ${inside} instructions`);
});

test.serial(
  'random blocks behind page tables give the same state as on QEMU (skipped without QEMU)',
  async (t) => {
    const qemu = await findQemuContestant(t);
    if (qemu === null) return;
    const campaign: Campaign = { left: INTERPRETED, right: qemu, rounds: 1 };
    await runCampaign(t, campaign, 'translated', TRANSLATED_BLOCKS);
  },
);

const TIERS = [
  ['compiled', COMPILED],
  ['compiled thoroughly', THOROUGH],
] as const;

for (const [setting, [tier, compiled]] of SETTINGS.flatMap((each) =>
  TIERS.map((one) => [each, one] as const),
)) {
  test.serial(
    `random blocks give the same state ${tier} as interpreted (${setting})`,
    async (t) => {
      const campaign: Campaign = { left: INTERPRETED, right: compiled, rounds: COMPILED_ROUNDS };
      let inside = 0n;
      await runCampaign(t, campaign, setting, COMPILED_BLOCKS[setting], {
        states: COMPILED_STATES,
        agreed: (blocks) => {
          inside += countInside(blocks);
        },
      });
      t.log(`${inside} random instructions`);
    },
  );
}

test.serial(
  'a difference is narrowed down to its instruction (mulhsu done as mulhu)',
  async (t) => {
    const damaged: Contestant = { ...INTERPRETED, name: 'damaged' };
    const campaign: Campaign = {
      left: INTERPRETED,
      right: damaged,
      rounds: 1,
      build: (blocks, options, contestant) =>
        buildImage(contestant === damaged ? blocks.map(damage) : blocks, options),
    };
    const differing = await findDifference(campaign, makeBlocks('machine mode', SEED, 50));
    if (differing === null) {
      t.fail('the planted difference is not found');
      return;
    }
    const explanation = await explainDifference(campaign, differing);
    t.regex(
      explanation,
      /^block of seed \d+ \(privilege 3, bare\), unit \d+:\n {2}[0-9a-f]{8} {2}mulhsu x\d+/,
    );
    t.regex(explanation, /x\d+: Lockstep 0x[0-9a-f]{16}, damaged 0x[0-9a-f]{16}/);
  },
);

/** mulhsu with the funct3 of mulhu. */
function damage(block: Block): Block {
  const units = block.units.map((unit) =>
    unit.map((instruction) =>
      instruction.text.startsWith('mulhsu')
        ? { ...instruction, encode: () => instruction.encode(() => 0) | 0x1000 }
        : instruction,
    ),
  );
  return { ...block, units };
}
