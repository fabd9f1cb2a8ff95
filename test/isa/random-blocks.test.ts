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
import type { EngineOptions } from '../../lib/machine/engine.js';
import { findQemu } from '../support/qemu.js';
import { makeBlock, type Block } from './differential/block.js';
import {
  explainDifference,
  findDifference,
  type Campaign,
  type Contestant,
} from './differential/campaign.js';
import { PLAIN, randomEnvironment } from './differential/environment.js';
import { buildImage, resultOf } from './differential/image.js';
import { runOnLockstep } from './differential/lockstep-runner.js';
import { runOnQemu } from './differential/qemu-runner.js';
import { RESULT_TRAPS } from './differential/runtime.js';

/** Blocks in machine mode, or in random privileges behind random page tables. */
type Setting = 'machine mode' | 'translated';

const SEED = Number(process.env['LOCKSTEP_ISA_SEED'] ?? 20_000_000);
const BLOCKS = Number(process.env['LOCKSTEP_ISA_BLOCKS'] ?? 18_000);
/** Compiling a block takes far longer than running it, so fewer of them are compiled. */
const COMPILED_BLOCKS: Readonly<Record<Setting, number>> = {
  'machine mode': Math.ceil(BLOCKS / 12),
  translated: Math.ceil(BLOCKS / 24),
};
const TRANSLATED_BLOCKS = Math.ceil(BLOCKS / 9);
const UNITS_PER_BLOCK = 64;
/** So many fit in the test's memory, with their page tables and results. */
const BLOCKS_PER_IMAGE: Readonly<Record<Setting, number>> = {
  'machine mode': 4500,
  translated: 1500,
};
const PROMISED_INSTRUCTIONS = 1_000_000n;
/** Instructions of the test's trap entry, rounded up. */
const INSTRUCTIONS_PER_TRAP = 48n;

const INTERPRETER: EngineOptions = { engine: 'interpreter', hotAfter: 1 };
/** Every jump target is compiled when it is met the first time. */
const COMPILER: EngineOptions = { engine: 'compiler', hotAfter: 1 };
/** The first round compiles, the second runs compiled code, the third finds it warm. */
const COMPILED_ROUNDS = 3;

function lockstep(name: string, engine: EngineOptions): Contestant {
  return { name, run: (image) => runOnLockstep(image, engine).signature };
}

const INTERPRETED = lockstep('Lockstep', INTERPRETER);
const COMPILED = lockstep('Lockstep (compiled)', COMPILER);

function makeBlocks(setting: Setting, first: number, count: number): Block[] {
  return Array.from({ length: count }, (_, index) => {
    const seed = first + index;
    const environment = setting === 'translated' ? randomEnvironment(seed) : PLAIN;
    return makeBlock(seed, UNITS_PER_BLOCK, environment);
  });
}

/** Instructions that ran inside the blocks: what retired beyond the program around them. */
function countInside(blocks: readonly Block[]): bigint {
  const options = { isDetailed: false, rounds: 1 };
  const image = buildImage(blocks, options);
  const { signature, retired } = runOnLockstep(image, INTERPRETER);
  const empty = blocks.map((block) => ({ ...block, units: [] }));
  const around = runOnLockstep(buildImage(empty, options), INTERPRETER).retired;
  const traps = blocks
    .map((_block, index) => resultOf(image, signature, index)[RESULT_TRAPS] ?? 0n)
    .reduce((sum, count) => sum + count, 0n);
  return retired - around - traps * INSTRUCTIONS_PER_TRAP;
}

/** Runs the campaign in images of bounded size; fails the test at the first difference. */
async function runCampaign(
  t: ExecutionContext,
  campaign: Campaign,
  setting: Setting,
  count: number,
  agreed?: (blocks: readonly Block[]) => void,
): Promise<void> {
  const perImage = BLOCKS_PER_IMAGE[setting];
  for (let done = 0; done < count; done += perImage) {
    const blocks = makeBlocks(setting, SEED + done, Math.min(perImage, count - done));
    const differing = await findDifference(campaign, blocks);
    if (differing !== null) {
      t.fail(await explainDifference(campaign, differing));
      return;
    }
    agreed?.(blocks);
  }
  t.log(`${count} blocks of ${UNITS_PER_BLOCK} units, seeds from ${SEED}`);
  t.pass();
}

async function findQemuContestant(t: ExecutionContext): Promise<Contestant | null> {
  const program = await findQemu();
  if (program !== null) return { name: 'QEMU', run: (image) => runOnQemu(program, image) };
  t.log('skipped: qemu-system-riscv64 is not installed');
  t.pass();
  return null;
}

test.serial('random blocks give the same state as on QEMU (skipped without QEMU)', async (t) => {
  const qemu = await findQemuContestant(t);
  if (qemu === null) return;
  const campaign: Campaign = { left: INTERPRETED, right: qemu, rounds: 1 };
  let inside = 0n;
  await runCampaign(t, campaign, 'machine mode', BLOCKS, (blocks) => {
    inside += countInside(blocks);
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

for (const setting of ['machine mode', 'translated'] as const) {
  test.serial(
    `random blocks give the same state compiled as interpreted (${setting})`,
    async (t) => {
      const campaign: Campaign = { left: INTERPRETED, right: COMPILED, rounds: COMPILED_ROUNDS };
      await runCampaign(t, campaign, setting, COMPILED_BLOCKS[setting]);
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
