/**
 * Repeats the bodies of small innermost loops of a region, so that the budget is looked at and
 * lowered once in several rounds: counting is what a short loop spends most of its time on.
 *
 * A copy of a block has the key of the block with the number of the copy above its 64 bits; what it
 * leaves the region for, and its instructions, keep their addresses. Only the first copy of a head
 * is entered from elsewhere, so only that is a checkpoint.
 */

import { present } from '../base/assert.js';
import type { Block, Region, Terminator } from './region.js';
import type { Node } from './structure.js';

/** Instructions of a loop and its copies together. */
const UNROLLED_INSTRUCTIONS_MAX = 128;
/** How often a body stands there at most. */
const COPIES_MAX = 8;

/** The region with its small loops repeated; `nodes` are its structure. */
export function unrollLoops(region: Region, nodes: readonly Node[]): Region {
  const entries = new Set(region.entries);
  const blocks = new Map(region.blocks);
  let isChanged = false;
  for (const { head, members } of innermostLoops(nodes)) {
    if (members.some((pc) => pc !== head && entries.has(pc))) continue;
    const steps = members.reduce((sum, pc) => sum + blockAt(region, pc).instructions.length, 0);
    const copies = Math.min(COPIES_MAX, Math.floor(UNROLLED_INSTRUCTIONS_MAX / Math.max(1, steps)));
    if (copies < 2) continue;
    isChanged = true;
    for (let copy = 0; copy < copies; copy++) {
      for (const pc of members) {
        const key = keyOf(pc, copy);
        blocks.set(key, copied(blockAt(region, pc), key, { head, members, copy, copies }));
      }
    }
  }
  return isChanged ? { ...region, blocks } : region;
}

interface Loop {
  readonly head: bigint;
  readonly members: readonly bigint[];
}

/** Loops with one head and no loop in them. */
function innermostLoops(nodes: readonly Node[]): readonly Loop[] {
  return nodes.flatMap((node): readonly Loop[] => {
    if (node.kind === 'block') return [];
    const [head, ...others] = node.heads;
    const members = node.body.flatMap((inner) => (inner.kind === 'block' ? [inner.pc] : []));
    const isInnermost = members.length === node.body.length;
    if (!isInnermost) return innermostLoops(node.body);
    return head === undefined || others.length > 0 ? [] : [{ head, members }];
  });
}

interface Copy extends Loop {
  readonly copy: number;
  readonly copies: number;
}

const keyOf = (pc: bigint, copy: number): bigint => pc | (BigInt(copy) << 64n);

const blockAt = (region: Region, pc: bigint): Block => present(region.blocks.get(pc), 'block');

/** A block of a copy: what goes back to the head goes on to the next copy's. */
function copied(block: Block, key: bigint, within: Copy): Block {
  const { head, members, copy, copies } = within;
  const to = (pc: bigint): bigint => {
    if (pc === head) return keyOf(head, (copy + 1) % copies);
    return members.includes(pc) ? keyOf(pc, copy) : pc;
  };
  return { pc: key, instructions: block.instructions, end: redirected(block.end, to) };
}

function redirected(end: Terminator, to: (pc: bigint) => bigint): Terminator {
  switch (end.kind) {
    case 'indirect':
      return end;
    case 'branch':
      return { ...end, taken: to(end.taken), next: to(end.next) };
    case 'jump':
    case 'fall':
      return { ...end, target: to(end.target) };
  }
}
