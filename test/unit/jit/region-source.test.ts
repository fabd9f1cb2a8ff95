/**
 * Goal: a region is made of what the fetch translation says, as far as compiling is allowed there.
 * Method: a machine whose compiler is made by the test, which looks through a source of its own.
 */

import test from 'ava';
import { RegionCache } from '../../../lib/jit/region-cache.js';
import {
  UNOBSERVED,
  type CompiledModule,
  type RegionObserver,
} from '../../../lib/jit/region-observer.js';
import type { Region } from '../../../lib/jit/region.js';
import { assemble } from '../../support/assembler.js';
import { COMPILER, Guest, INTERPRETER, OPEN_PMP, THOROUGH } from '../../support/program.js';
import { PageTables, SUPERVISOR_PAGE } from '../../support/program-paging.js';

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

const VECTOR = 0x8000_0f00;
const LOOP_PAGE = 0x4000_0000n;
const NEXT_PAGE = 0x4000_1000n;
const [FIRST_FRAME, FRAME, OTHER_FRAME] = [0x8004_0000, 0x8004_6000, 0x8004_2000];

/** `addi a0,a0,n` at the end of a page, by halves. */
const addition = (n: number): readonly [number, number] => {
  const word = (n << 20) | (10 << 15) | (10 << 7) | 0x13;
  return [word & 0xffff, word >>> 16];
};

/** Calls a loop with an instruction on two pages: as it is, rewritten, mapped anew, unmapped. */
function crossing(guest: Guest): Guest {
  const tables = new PageTables();
  tables.mapSame(0x8000_0000, 1).mapSame(FRAME, 1).mapSame(0x8010_0000, 8);
  tables.map(LOOP_PAGE, BigInt(FIRST_FRAME));
  const entry = tables.map(NEXT_PAGE, BigInt(FRAME));
  const mapped = (frame: number): bigint => BigInt(((frame >>> 12) << 10) | SUPERVISOR_PAGE);
  const round = `li s1,3000\n jalr ra,-16(s2)`;
  const driver = assemble(`
    li s2,${NEXT_PAGE}
    ${round}
    li t0,${FRAME}
    li t1,${addition(7)[1]}
    sh t1,0(t0)
    fence.i
    ${round}
    li t0,${entry}
    li t1,${mapped(OTHER_FRAME)}
    sd t1,0(t0)
    sfence.vma zero,zero
    ${round}
    sd zero,0(t0)
    sfence.vma zero,zero
    ${round}
  `);
  const first = assemble(
    `again: addi s1,s1,-1\n addi a1,a1,1\n addi a2,a2,1\n .half 1\n .half ${addition(3)[0]}`,
    Number(NEXT_PAGE) - 16,
  );
  const second = (n: number): Uint8Array =>
    assemble(`.half ${addition(n)[1]}\n bne s1,zero,${NEXT_PAGE - 16n}\n ret`, Number(NEXT_PAGE))
      .bytes;
  const memory = [
    [driver.base, driver.bytes],
    [VECTOR, assemble('end: j end', VECTOR).bytes],
    [FIRST_FRAME + 4096 - 16, first.bytes],
    [FRAME, second(3)],
    [OTHER_FRAME, second(5)],
    ...tables.memory(),
  ] as const;
  const words = { ...OPEN_PMP, ...tables.words(), privilege: 1n, mtvec: BigInt(VECTOR) };
  return guest.load(memory, { ...words, pc: BigInt(driver.base) });
}

test('an instruction on two pages is compiled, and follows what either of them becomes', (t) => {
  const regions: Region[] = [];
  const observer = {
    ...UNOBSERVED,
    compiled: ({ region }: CompiledModule) => regions.push(region),
  };
  const oracle = crossing(new Guest(INTERPRETER));
  const compiled = crossing(new Guest(COMPILER, observer));
  const guests = [oracle, compiled, crossing(new Guest(THOROUGH))];
  for (let stop = 0; stop < 80; stop++) {
    for (const guest of guests) guest.run(997);
    for (const guest of guests) t.is(guest.fingerprint(), oracle.fingerprint(), `stop ${stop}`);
  }
  for (const guest of guests) {
    t.is(guest.get('a0'), 3000n * (3n + 7n + 5n));
    t.is(guest.get('mcause'), 12n);
    t.is(guest.get('mtval'), NEXT_PAGE);
    t.is(guest.get('mepc'), NEXT_PAGE - 2n);
  }
  const crossed = regions.flatMap(({ blocks }) =>
    [...blocks.values()].flatMap(({ instructions }) =>
      instructions.filter(({ pc, decoded }) => pc === NEXT_PAGE - 2n && decoded.bytes === 4),
    ),
  );
  t.true(crossed.length >= 3, `compiled ${crossed.length} times`);
});
