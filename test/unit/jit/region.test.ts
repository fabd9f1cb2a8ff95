/**
 * Goal: regions hold what can be reached and nothing that must not be compiled.
 * Method: small programs assembled in the test, discovered and structured without a machine.
 */

import test from 'ava';
import { decode16, decode32, isCompressed } from '../../../lib/riscv/decode.js';
import {
  REGION_INSTRUCTIONS_MAX,
  discoverRegion,
  successors,
  type Decoder,
  type Region,
} from '../../../lib/jit/region.js';
import { longestPaths, structureRegion, type Node } from '../../../lib/jit/structure.js';
import { assemble } from '../../support/assembler.js';

const BASE = 0x8000_0000n;

function decoderOf(source: string): Decoder {
  const { bytes } = assemble(source);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return (pc) => {
    const at = Number(pc - BASE);
    if (at < 0 || at + 4 > bytes.length) return null;
    const half = view.getUint16(at, true);
    return isCompressed(half) ? decode16(half) : decode32(view.getUint32(at, true));
  };
}

function regionOf(t: { truthy(value: unknown): boolean }, source: string): Region {
  const region = discoverRegion(BASE, decoderOf(`${source}\n  .word 0\n  .word 0\n`));
  t.truthy(region);
  if (region === null) throw new Error('no region');
  return region;
}

const LOOP = `
  li a0,10
again:
  addi a0,a0,-1
  bnez a0,again
  ebreak
`;

test('a loop is one checkpointed component and the code behind it leaves', (t) => {
  const region = regionOf(t, LOOP);
  const { nodes, checkpoints } = structureRegion(region);
  const loops = nodes.filter((node) => node.kind === 'loop');
  t.is(loops.length, 1);
  const [head] = loops[0]?.heads ?? [];
  t.true(head !== undefined && checkpoints.has(head));
});

test('a region ends before instructions that the hart carries out', (t) => {
  const region = regionOf(t, 'addi a0,a0,1\n  csrr a1,instret\n  addi a0,a0,2');
  t.is(region.instructionCount, 1);
});

test('the place behind a call is an entry', (t) => {
  const region = regionOf(t, 'call callee\n  addi a0,a0,1\n  ebreak\ncallee:\n  ret');
  t.is(region.entries.length, 2);
});

test('no path between checkpoints is longer than the budget that is asked for', (t) => {
  const region = regionOf(
    t,
    `
  beqz a0,other
  addi a1,a1,1
  addi a1,a1,2
  j join
other:
  addi a1,a1,3
join:
  addi a2,a2,1
  bnez a2,join
  ebreak`,
  );
  const { checkpoints } = structureRegion(region);
  const budgets = longestPaths(region, checkpoints);
  const walk = (pc: bigint, spent: number, limit: number): void => {
    const block = region.blocks.get(pc);
    const after = spent + (block?.instructions.length ?? 0);
    t.true(after <= limit);
    for (const next of block === undefined ? [] : successors(block, region)) {
      if (!checkpoints.has(next)) walk(next, after, limit);
    }
  };
  for (const [pc, budget] of budgets) walk(pc, 0, budget);
});

test('structured order has only forward branches, but to heads of loops around', (t) => {
  const region = regionOf(t, LOOP);
  const { nodes } = structureRegion(region);
  const order: bigint[] = [];
  const collect = (list: readonly Node[]): void => {
    for (const node of list) {
      if (node.kind === 'block') order.push(node.pc);
      else collect(node.body);
    }
  };
  collect(nodes);
  t.is(new Set(order).size, region.blocks.size);
});

test('a region is bounded however long the code is', (t) => {
  const region = regionOf(t, 'addi a0,a0,1\n'.repeat(2 * REGION_INSTRUCTIONS_MAX));
  t.true(region.instructionCount <= REGION_INSTRUCTIONS_MAX);
});
