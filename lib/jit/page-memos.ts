/**
 * Which loads and stores of a region most likely go to the page that the one before went to. For
 * each such pointer the region keeps the last page in two locals, and asks the TLB only where the
 * page is another one.
 *
 * It is worth a memo if the loop around leaves the pointer the same (`pointers.ts`), or if a block
 * uses it more than once. A memo is right whatever is grouped, for it is compared with each
 * address. Nothing changes the TLB while a region runs: it leaves what would.
 */

import { present } from '../base/assert.js';
import { hasEffect } from '../riscv/disassemble.js';
import type { Decoded } from '../riscv/decode.js';
import { Pointers, type Pointer } from './pointers.js';
import type { Block, Region, RegionInstruction } from './region.js';
import type { Node } from './structure.js';

export interface PageMemos {
  /** How many there are. */
  readonly count: number;
  /** Number of an access's memo; undefined for one without. */
  numberOf(entry: RegionInstruction): number | undefined;
}

export const NO_MEMOS: PageMemos = { count: 0, numberOf: () => undefined };

/** Loads and stores have memos of their own: the TLB answers them apart. */
type Use = 'load' | 'store';

/** The memos of a region, whose structure is `nodes`. */
export function pageMemos(region: Region, nodes: readonly Node[]): PageMemos {
  const numbers = new Map<string, number>();
  const byEntry = new Map<RegionInstruction, number>();
  for (const { block, steady } of blocksWithLoops(region, nodes)) {
    for (const { use, pointer, entries } of accessesOf(block)) {
      const isSteady = pointer.definition === null && steady(pointer.register);
      if (!isSteady && entries.length < 2) continue;
      const place = isSteady ? '' : `${pointer.definition ?? ''} in ${block.pc}`;
      const key = `${use} ${pointer.register} ${place}`;
      const number = numbers.get(key) ?? numbers.size;
      numbers.set(key, number);
      for (const entry of entries) byEntry.set(entry, number);
    }
  }
  return { count: numbers.size, numberOf: (entry) => byEntry.get(entry) };
}

interface Accesses {
  readonly use: Use;
  readonly pointer: Pointer;
  readonly entries: RegionInstruction[];
}

/** The loads and stores of a block by use and pointer. */
function accessesOf(block: Block): readonly Accesses[] {
  const found: Accesses[] = [];
  const pointers = new Pointers();
  for (const entry of block.instructions) {
    const use = useOf(entry.decoded);
    if (use !== null) {
      const pointer = pointers.of(entry.decoded.rs1);
      const known = found.find((other) => other.use === use && other.pointer === pointer);
      if (known === undefined) found.push({ use, pointer, entries: [entry] });
      else known.entries.push(entry);
    }
    pointers.execute(entry);
  }
  return found;
}

interface BlockInLoop {
  readonly block: Block;
  /** Whether the innermost loop around the block leaves a register the same pointer. */
  readonly steady: (register: number) => boolean;
}

function blocksWithLoops(region: Region, nodes: readonly Node[]): readonly BlockInLoop[] {
  const blockAt = (pc: bigint): Block => present(region.blocks.get(pc), 'block');
  const within = (list: readonly Node[]): readonly Block[] =>
    list.flatMap((node) => (node.kind === 'block' ? [blockAt(node.pc)] : within(node.body)));
  const walk = (
    list: readonly Node[],
    steady: (register: number) => boolean,
  ): readonly BlockInLoop[] =>
    list.flatMap((node) =>
      node.kind === 'block'
        ? [{ block: blockAt(node.pc), steady }]
        : walk(node.body, steadyIn(within(node.body))),
    );
  // Jumps through a register come back by the top of the region.
  const blocks = [...region.blocks.values()];
  const comesBack = blocks.some(({ end }) => end.kind === 'indirect');
  return walk(nodes, comesBack ? steadyIn(blocks) : () => false);
}

/** Whether blocks leave a register the pointer that it was. */
function steadyIn(blocks: readonly Block[]): (register: number) => boolean {
  const changed = new Set<number>();
  for (const block of blocks) {
    const pointers = new Pointers();
    for (const entry of block.instructions) pointers.execute(entry);
    for (const register of pointers.changed()) changed.add(register);
  }
  return (register) => !changed.has(register);
}

function useOf({ instruction }: Decoded): Use | null {
  if (hasEffect(instruction, 'load')) return 'load';
  return hasEffect(instruction, 'store') ? 'store' : null;
}
