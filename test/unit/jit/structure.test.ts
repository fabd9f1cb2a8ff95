/**
 * Goal: the nested form of a region keeps its order.
 * Method: small programs assembled in the test, structured without a machine.
 */

import test from 'ava';
import { enterAtLoops, structureRegion, type Node } from '../../../lib/jit/structure.js';
import type { Region } from '../../../lib/jit/region.js';
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

/** Two loops, one in the other, with a choice in the inner one. */
const TWO_LOOPS = `
outer:
  li a0,10
inner:
  beqz a3,middle
  addi a1,a1,1
middle:
  addi a0,a0,-1
  bnez a0,inner
  addi a2,a2,-1
  bnez a2,outer
  ebreak
`;

/** The same, met where the two ways of the choice come together. */
function metInside(): Region {
  const region = regionOf(TWO_LOOPS);
  const middle = region.start + 12n;
  return { ...region, start: middle, entries: [middle] };
}

test('a region that is met inside loops keeps their nesting', (t) => {
  const { nodes } = structureRegion(metInside());
  const depth = (list: readonly Node[]): number =>
    Math.max(0, ...list.map((node) => (node.kind === 'block' ? 0 : 1 + depth(node.body))));
  t.is(depth(nodes), 2);
  t.true(nodes[0]?.doors.includes(metInside().start));
});

test('a region is entered at its loops instead of in the middle of them', (t) => {
  const met = metInside();
  t.true(met.blocks.has(met.start));
  const entered = enterAtLoops(met);
  t.is(entered?.entries.length, 2);
  t.false(entered?.entries.includes(met.start));
  t.is(enterAtLoops(regionOf('addi a0,a0,1\n ebreak')), null);
});
