/**
 * Who runs random blocks, and in what: Lockstep interpreting, Lockstep compiling every jump target
 * when it is met first, QEMU; in machine mode, or in random privileges behind random page tables.
 */

import type { EngineOptions } from '../../../lib/machine/engine.js';
import { fromOtherStates, makeBlock, type Block } from './block.js';
import type { Contestant } from './campaign.js';
import { PLAIN, randomEnvironment } from './environment.js';
import { buildImage, resultOf } from './image.js';
import { runOnLockstep } from './lockstep-runner.js';
import { runOnQemu } from './qemu-runner.js';
import { RESULT_TRAPS } from './runtime.js';

export const SETTINGS = ['machine mode', 'translated'] as const;
/** Blocks in machine mode, or in random privileges behind random page tables. */
export type Setting = (typeof SETTINGS)[number];

export const UNITS_PER_BLOCK = 64;
/** So many fit in the test's memory, with their page tables and results. */
export const BLOCKS_PER_IMAGE: Readonly<Record<Setting, number>> = {
  'machine mode': 4500,
  translated: 1500,
};
const NO_UNITS: Block['units'] = [];
/** Instructions of the test's trap entry, rounded up. */
const INSTRUCTIONS_PER_TRAP = 48n;

const INTERPRETER: EngineOptions = { engine: 'interpreter', hotAfter: 1 };
/** Every jump target is compiled when it is met the first time. */
const COMPILER: EngineOptions = { engine: 'compiler', hotAfter: 1 };
const THOROUGH_COMPILER: EngineOptions = { ...COMPILER, thoroughAfter: 0 };

function lockstep(name: string, engine: EngineOptions): Contestant {
  return { name, run: (image) => runOnLockstep(image, engine).signature };
}

export const INTERPRETED = lockstep('Lockstep', INTERPRETER);
export const COMPILED = lockstep('Lockstep (compiled)', COMPILER);
export const THOROUGH = lockstep('Lockstep (compiled thoroughly)', THOROUGH_COMPILER);

export function qemuContestant(program: string): Contestant {
  return { name: 'QEMU', run: (image) => runOnQemu(program, image) };
}

/** Blocks of the seeds from `first` on. */
export function makeBlocks(setting: Setting, first: number, count: number): Block[] {
  return Array.from({ length: count }, (_, index) => {
    const seed = first + index;
    const environment = setting === 'translated' ? randomEnvironment(seed) : PLAIN;
    return makeBlock(seed, UNITS_PER_BLOCK, environment);
  });
}

/** Each block from so many states: compiling takes far longer than running. */
export function blocksFromStates(
  setting: Setting,
  blocks: { readonly first: number; readonly count: number; readonly states: number },
): Block[] {
  return makeBlocks(setting, blocks.first, blocks.count).flatMap((block) =>
    fromOtherStates(block, blocks.states),
  );
}

/** Instructions that ran inside the blocks, each block once: what retired beyond the program. */
export function countInside(blocks: readonly Block[]): bigint {
  const options = { isDetailed: false, rounds: 1 };
  const image = buildImage(blocks, options);
  const { signature, retired } = runOnLockstep(image, INTERPRETER);
  const empty = blocks.map((block) => ({ ...block, units: NO_UNITS }));
  const around = runOnLockstep(buildImage(empty, options), INTERPRETER).retired;
  const traps = blocks
    .map((_block, index) => resultOf(image, signature, index)[RESULT_TRAPS] ?? 0n)
    .reduce((sum, count) => sum + count, 0n);
  return retired - around - traps * INSTRUCTIONS_PER_TRAP;
}
