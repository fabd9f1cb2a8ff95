/**
 * Goal: a region is made of what the fetch translation says, as far as compiling is allowed there.
 * Method: a machine whose compiler is made by the test, which looks through a source of its own.
 */

import test from 'ava';
import { RegionCache } from '../../../lib/jit/region-cache.js';
import { UNOBSERVED, type RegionObserver } from '../../../lib/jit/region-observer.js';
import { assemble } from '../../support/assembler.js';
import { COMPILER, Guest } from '../../support/program.js';

/** Hot code with its data in the same page. */
const MIXED = `
  auipc s0,0
  addi s0,s0,1024
  li s1,200000
again:
  ld a0,0(s0)
  addi a0,a0,1
  sd a0,0(s0)
  addi s1,s1,-1
  bnez s1,again
end:
  j end
`;

function regionsOf(source: string, observer: Partial<RegionObserver> = {}) {
  let seen = { compiled: 0, dropped: 0 };
  const guest = new Guest(COMPILER, {
    ...UNOBSERVED,
    ...observer,
    changed: ({ compiled, dropped }) => (seen = { compiled, dropped }),
  }).program(assemble(source));
  guest.runUntil(1_100_000n);
  return { guest, ...seen };
}

test('code with data in its page stays compiled', (t) => {
  const { compiled, dropped, guest } = regionsOf(MIXED);
  t.true(compiled > 0);
  t.true(dropped <= 8, `${dropped} regions dropped by 200,000 stores`);
  t.is(guest.get('a0'), 200_000n);
});

test('a compiler is made for every hart that has one', (t) => {
  const made: unknown[] = [];
  regionsOf(MIXED, { created: (control) => made.push(control) });
  t.is(made.length, 1);
  t.true(made[0] instanceof RegionCache);
});

test('what was never executed is no part of a region, until it is', (t) => {
  const source = `
  li s1,1000
again:
  addi a0,a0,3
  beqz s2,common
rare:
  addi a1,a1,1
common:
  addi s1,s1,-1
  bnez s1,again
  li s1,1000
  li s2,1
  j again`;
  const program = assemble(source);
  const rare = program.address('rare');
  const holdsRare: boolean[] = [];
  const guest = new Guest(
    { engine: 'compiler', hotAfter: 64 },
    {
      ...UNOBSERVED,
      compiled: ({ region }) => {
        const code = [...region.blocks.values()].flatMap((block) => block.instructions);
        holdsRare.push(code.some(({ pc }) => pc === rare));
      },
    },
  ).program(program);
  guest.run(4_000);
  t.deepEqual(holdsRare, [false]);
  guest.run(20_000);
  t.is(holdsRare.at(-1), true);
});
