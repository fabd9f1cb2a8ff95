/**
 * Which loads and stores of a region most likely go to the page that the one before went to: those
 * by the same pointer (`pointers.ts`). For each pointer the region keeps the address of the TLB
 * entry that was used last, and looks there first. What remains of the look-up are a comparison and
 * an addition, neither of which the access waits for.
 *
 * A memo is right whatever is grouped, for the entry is compared with each address.
 */

import { present } from '../base/assert.js';
import { isMemoryAccess } from '../riscv/disassemble.js';
import { Pointers, type Pointer } from './pointers.js';
import type { Block, Region, RegionInstruction } from './region.js';
import type { Node } from './structure.js';

/** More would take registers from what they are for, and each is set when a region is entered. */
export const MEMOS_MAX = 16;

export interface PageMemos {
  /** How many there are. */
  readonly count: number;
  /** Number of an access's memo; undefined for one without. */
  numberOf(entry: RegionInstruction): number | undefined;
}

export const NO_MEMOS: PageMemos = { count: 0, numberOf: () => undefined };

/** The memos of a region, whose structure is `nodes`; code deep in loops comes first. */
export function pageMemos(region: Region, nodes: readonly Node[]): PageMemos {
  const numbers = new Map<string, number>();
  const byEntry = new Map<RegionInstruction, number>();
  const blocks = [...blocksByDepth(nodes, 0)].sort((a, b) => b.depth - a.depth);
  for (const { pc } of blocks) {
    const block = present(region.blocks.get(pc), 'block');
    for (const [{ register, definition }, entries] of accessesOf(block)) {
      const key = `${register} ${definition ?? ''}`;
      const number = numbers.get(key) ?? numbers.size;
      if (number === MEMOS_MAX) continue;
      numbers.set(key, number);
      for (const entry of entries) byEntry.set(entry, number);
    }
  }
  return { count: numbers.size, numberOf: (entry) => byEntry.get(entry) };
}

/** The loads and stores of a block by pointer. */
function accessesOf(block: Block): ReadonlyMap<Pointer, readonly RegionInstruction[]> {
  const found = new Map<Pointer, RegionInstruction[]>();
  const pointers = new Pointers();
  for (const entry of block.instructions) {
    if (isMemoryAccess(entry.decoded.instruction)) {
      const pointer = pointers.of(entry.decoded.rs1);
      found.set(pointer, [...(found.get(pointer) ?? []), entry]);
    }
    pointers.execute(entry);
  }
  return found;
}

/** Blocks, and how many loops are around each. */
function* blocksByDepth(
  nodes: readonly Node[],
  depth: number,
): Generator<{ readonly pc: bigint; readonly depth: number }> {
  for (const node of nodes) {
    if (node.kind === 'block') yield { pc: node.pc, depth };
    else yield* blocksByDepth(node.body, depth + 1);
  }
}
