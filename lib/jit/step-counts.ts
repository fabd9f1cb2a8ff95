/**
 * Where a region counts steps: at checkpoints the budget is compared with what may pass before the
 * next one, and along a path it is lowered once, not block by block.
 *
 * A block is owed steps when it is entered with steps behind it that the budget was not lowered by.
 * Checkpoints are owed none, so the budget is settled on the edges to them and out of the region;
 * where paths of other lengths join, the longer ones settle the difference.
 */

import { present } from '../base/assert.js';
import { successors, type Region } from './region.js';

/**
 * For every checkpoint the most steps that may pass before the next one: the longest path, in
 * instructions, through blocks that are not checkpoints.
 */
export function longestPaths(
  region: Region,
  checkpoints: ReadonlySet<bigint>,
): ReadonlyMap<bigint, number> {
  const memo = new Map<bigint, number>();
  const beyond = (pc: bigint): number => {
    if (checkpoints.has(pc)) return 0;
    const known = memo.get(pc);
    if (known !== undefined) return known;
    const length = through(pc);
    memo.set(pc, length);
    return length;
  };
  const through = (pc: bigint): number => {
    const block = present(region.blocks.get(pc), 'block');
    return block.instructions.length + Math.max(0, ...successors(block, region).map(beyond));
  };
  return new Map([...checkpoints].map((pc) => [pc, through(pc)]));
}

/** Steps that each block is owed: those of the shortest path since the last checkpoint. */
export function owedSteps(
  region: Region,
  checkpoints: ReadonlySet<bigint>,
): ReadonlyMap<bigint, number> {
  const previous = new Map<bigint, bigint[]>();
  for (const [pc, block] of region.blocks) {
    for (const target of successors(block, region)) {
      previous.set(target, [...(previous.get(target) ?? []), pc]);
    }
  }
  const memo = new Map<bigint, number>();
  const owed = (pc: bigint): number => {
    if (checkpoints.has(pc)) return 0;
    const known = memo.get(pc);
    if (known !== undefined) return known;
    const before = present(previous.get(pc), 'way to a block').map(
      (from) => owed(from) + stepsOf(region, from),
    );
    const least = Math.min(...before);
    memo.set(pc, least);
    return least;
  };
  return new Map([...region.blocks.keys()].map((pc) => [pc, owed(pc)]));
}

function stepsOf(region: Region, pc: bigint): number {
  return present(region.blocks.get(pc), 'block').instructions.length;
}
