/**
 * Goal: the nested form of a region keeps its order.
 * Method: small programs assembled in the test, structured without a machine.
 */

import test from 'ava';
import { structureRegion, type Node } from '../../../lib/jit/structure.js';
import { LOOP, regionOf } from '../../support/region.js';

test('a loop is one checkpointed component and the code behind it leaves', (t) => {
  const region = regionOf(LOOP);
  const { nodes, checkpoints } = structureRegion(region);
  const loops = nodes.filter((node) => node.kind === 'loop');
  t.is(loops.length, 1);
  const [head] = loops[0]?.heads ?? [];
  t.true(head !== undefined && checkpoints.has(head));
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
