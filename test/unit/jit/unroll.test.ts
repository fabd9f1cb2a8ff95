/**
 * Goal: a region whose loops are repeated does what it did, with a look at the budget once in
 * several rounds.
 * Method: small programs assembled in the test; walks through both regions side by side.
 */

import test from 'ava';
import { successors, type Region } from '../../../lib/jit/region.js';
import { structureRegion } from '../../../lib/jit/structure.js';
import { unrollLoops } from '../../../lib/jit/unroll.js';
import { Random } from '../../support/random.js';
import { LOOP, regionOf } from '../../support/region.js';

const ADDRESS_BITS = 64;
const BRANCHY = `
  li a0,10
again:
  addi a0,a0,-1
  beqz a1,other
  addi a2,a2,1
  j join
other:
  addi a3,a3,1
join:
  beqz a4,out
  bnez a0,again
out:
  ebreak
`;
const NESTED = `
outer:
  li a0,10
again:
  addi a0,a0,-1
  bnez a0,again
  addi a1,a1,-1
  bnez a1,outer
  ebreak
`;
const LONG = `again:\n${'  addi a1,a1,1\n'.repeat(80)}  addi a0,a0,-1\n  bnez a0,again\n  ebreak`;

function unrolled(source: string): { rolled: Region; region: Region } {
  const rolled = regionOf(source);
  return { rolled, region: unrollLoops(rolled, structureRegion(rolled).nodes) };
}

const place = (key: bigint): bigint => BigInt.asUintN(ADDRESS_BITS, key);

for (const [name, source] of Object.entries({ LOOP, BRANCHY, NESTED })) {
  test(`every walk through the one is a walk through the other (${name})`, (t) => {
    const { rolled, region } = unrolled(source);
    const random = new Random(5);
    for (let walk = 0; walk < 200; walk++) {
      let key = region.start;
      for (let step = 0; step < 30; step++) {
        const block = region.blocks.get(key);
        const original = rolled.blocks.get(place(key));
        t.deepEqual(block?.instructions, original?.instructions);
        if (block === undefined || original === undefined) return t.fail('a walk left the region');
        const next = successors(block, region);
        t.deepEqual(next.map(place), successors(original, rolled));
        if (next.length === 0) break;
        key = next[random.below(next.length)] ?? key;
      }
    }
  });

  test(`only the first copy of a head is a checkpoint, and round it there are several (${name})`, (t) => {
    const { rolled, region } = unrolled(source);
    const before = structureRegion(rolled).checkpoints;
    const { checkpoints } = structureRegion(region);
    t.deepEqual(new Set(checkpoints), new Set(before));
    t.true(region.blocks.size > rolled.blocks.size);
    t.is(region.instructionCount, rolled.instructionCount, 'the guest has no more code');
  });
}

test('a long loop stays as it is, and so does one that is entered in the middle', (t) => {
  t.is(unrolled(LONG).region.blocks.size, unrolled(LONG).rolled.blocks.size);
  const called =
    'again:\n  call callee\n  addi a0,a0,-1\n  bnez a0,again\n  ebreak\ncallee:\n  ret';
  const { rolled, region } = unrolled(called);
  t.is(region, rolled);
});
