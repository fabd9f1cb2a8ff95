/**
 * Goal: no instruction gives another result than on an independent implementation, in registers,
 * floating-point registers, flags, traps or memory. Method: random blocks (see differential/) on
 * Lockstep and on QEMU; a difference is narrowed down to the instruction and printed.
 *
 * LOCKSTEP_ISA_SEED and LOCKSTEP_ISA_BLOCKS choose other and more blocks. QEMU 7.2 differs from
 * the specification in a few places that the blocks avoid; they have tests of their own in
 * vectors.test.ts.
 */

import test from 'ava';
import { findQemu } from '../support/qemu.js';
import { makeBlock, type Block } from './differential/block.js';
import {
  explainDifference,
  findDifference,
  type Campaign,
  type Contestant,
} from './differential/campaign.js';
import { buildImage, resultOf } from './differential/image.js';
import { runOnLockstep } from './differential/lockstep-runner.js';
import { runOnQemu } from './differential/qemu-runner.js';
import { RESULT_TRAPS } from './differential/runtime.js';

const SEED = Number(process.env['LOCKSTEP_ISA_SEED'] ?? 20_000_000);
const BLOCKS = Number(process.env['LOCKSTEP_ISA_BLOCKS'] ?? 18_000);
const UNITS_PER_BLOCK = 64;
/** So many fit in the test's memory with their results. */
const BLOCKS_PER_IMAGE = 4500;
const PROMISED_INSTRUCTIONS = 1_000_000n;
/** Instructions of the test's trap entry, rounded up. */
const INSTRUCTIONS_PER_TRAP = 48n;

const lockstep: Contestant = {
  name: 'Lockstep',
  run: (image) => runOnLockstep(image).signature,
};

function makeBlocks(first: number, count: number, units = UNITS_PER_BLOCK): Block[] {
  return Array.from({ length: count }, (_, index) => makeBlock(first + index, units));
}

/** Instructions that ran inside the blocks: what retired beyond the program around them. */
function countInside(blocks: readonly Block[]): bigint {
  const image = buildImage(blocks, false);
  const { signature, retired } = runOnLockstep(image);
  const empty = blocks.map((block) => ({ ...block, units: [] }));
  const around = runOnLockstep(buildImage(empty, false)).retired;
  const traps = blocks
    .map((_block, index) => resultOf(image, signature, index)[RESULT_TRAPS] ?? 0n)
    .reduce((sum, count) => sum + count, 0n);
  return retired - around - traps * INSTRUCTIONS_PER_TRAP;
}

test('random blocks give the same state as on QEMU (skipped without QEMU)', async (t) => {
  const program = await findQemu();
  if (program === null) {
    t.log('skipped: qemu-system-riscv64 is not installed');
    t.pass();
    return;
  }
  const qemu: Contestant = { name: 'QEMU', run: (image) => runOnQemu(program, image) };
  const campaign: Campaign = { left: lockstep, right: qemu };
  let inside = 0n;
  for (let done = 0; done < BLOCKS; done += BLOCKS_PER_IMAGE) {
    const blocks = makeBlocks(SEED + done, Math.min(BLOCKS_PER_IMAGE, BLOCKS - done));
    const differing = await findDifference(campaign, blocks);
    if (differing !== null) {
      t.fail(await explainDifference(campaign, differing));
      return;
    }
    inside += countInside(blocks);
  }
  t.log(`${inside} random instructions, seeds from ${SEED}`);
  if (BLOCKS >= 18_000) t.true(inside >= PROMISED_INSTRUCTIONS, `only ${inside} instructions`);
});

test('a difference is found and narrowed down to its instruction (mulhsu done as mulhu)', async (t) => {
  const damaged: Contestant = { ...lockstep, name: 'damaged' };
  const campaign: Campaign = {
    left: lockstep,
    right: damaged,
    build: (blocks, isDetailed, contestant) =>
      buildImage(contestant === damaged ? blocks.map(damage) : blocks, isDetailed),
  };
  const differing = await findDifference(campaign, makeBlocks(SEED, 50));
  if (differing === null) {
    t.fail('the planted difference is not found');
    return;
  }
  const explanation = await explainDifference(campaign, differing);
  t.regex(explanation, /^block of seed \d+, unit \d+:\n {2}[0-9a-f]{8} {2}mulhsu x\d+/);
  t.regex(explanation, /x\d+: Lockstep 0x[0-9a-f]{16}, damaged 0x[0-9a-f]{16}/);
});

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
