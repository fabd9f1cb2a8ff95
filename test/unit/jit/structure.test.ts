/**
 * Goal: the nested form of a region keeps its order, and no path overruns its budget.
 * Method: small programs assembled in the test, structured without a machine.
 */

import test from 'ava';
import { successors } from '../../../lib/jit/region.js';
import { longestPaths, structureRegion, type Node } from '../../../lib/jit/structure.js';
import { LOOP, regionOf } from '../../support/region.js';

test('a loop is one checkpointed component and the code behind it leaves', (t) => {
  const region = regionOf(LOOP);
  const { nodes, checkpoints } = structureRegion(region);
  const loops = nodes.filter((node) => node.kind === 'loop');
  t.is(loops.length, 1);
  const [head] = loops[0]?.heads ?? [];
  t.true(head !== undefined && checkpoints.has(head));
});

test('no path between checkpoints is longer than the budget that is asked for', (t) => {
  const region = regionOf(
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
  const region = regionOf(LOOP);
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
