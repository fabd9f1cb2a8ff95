/**
 * Goal: what a region remembers of pages never shows, and is remembered where it helps.
 * Method: loops over random addresses in pages of all kinds, whose frames are in another order than
 * they are, interpreted and compiled; small regions for what is grouped.
 */

import test from 'ava';
import { MEMOS_MAX, pageMemos } from '../../../lib/jit/page-memos.js';
import { structureRegion } from '../../../lib/jit/structure.js';
import { assemble } from '../../support/assembler.js';
import { Guest, INTERPRETER, OPEN_PMP, THOROUGH } from '../../support/program.js';
import { PageTables, PTE, SUPERVISOR_PAGE } from '../../support/program-paging.js';
import { Random } from '../../support/random.js';
import { regionOf } from '../../support/region.js';

const CODE = 0x8000_0000;
const VECTOR = 0x8000_1000;
const LIST = 0x8001_0000;
const FRAMES = 0x8004_0000;
const DATA = 0x4000_0000n;
const PAGES = 6;
const ADDRESSES = 48;
const PROGRAMS = 60;
const STEPS = 6000;

/** Goes on behind what faulted. */
const SKIP = assemble('csrr t6,mepc\n addi t6,t6,4\n csrw mepc,t6\n mret', VECTOR);

const LOADS = ['lb', 'lbu', 'lh', 'lhu', 'lw', 'lwu', 'ld'] as const;
const STORES = ['sb', 'sh', 'sw', 'sd'] as const;

function randomAccess(random: Random, pointer: string): string {
  const offset = random.pick([0, 0, 0, 1, 2, 4, 8, -8, 2040]);
  const isLoad = random.below(2) === 0;
  const name = isLoad ? random.pick(LOADS) : random.pick(STORES);
  return `${name} ${random.pick(['a1', 'a2', 'a3'])},${offset}(${pointer})`;
}

/** A loop over the addresses of a list, beside a pointer that is moved on by itself. */
function program(random: Random): string {
  const several = (pointer: string): string =>
    Array.from({ length: 1 + random.below(4) }, () => randomAccess(random, pointer)).join('\n');
  return `
outer:
  li s1,${ADDRESSES}
  mv s0,s2
  mv s3,s4
next:
  ld a0,0(s0)
  ${several('a0')}
  ${several('s3')}
  addi s3,s3,${random.pick([1, 2, 4, 8, 24, 500])}
  addi s0,s0,8
  addi s1,s1,-1
  bnez s1,next
  j outer
`;
}

function enter(guest: Guest, seed: number): Guest {
  const random = new Random(seed);
  const tables = new PageTables();
  tables.mapSame(CODE, 32);
  for (let page = 0; page < PAGES; page++) {
    const flags = random.pick([SUPERVISOR_PAGE, SUPERVISOR_PAGE, SUPERVISOR_PAGE & ~PTE.W, 0]);
    // The frames of neighbours are not neighbours.
    const frame = BigInt(FRAMES + ((page * 5 + 1) % PAGES) * 0x2000);
    tables.map(DATA + BigInt(page * 0x1000), frame, flags);
  }
  const list = new DataView(new ArrayBuffer(ADDRESSES * 8));
  for (let index = 0; index < ADDRESSES; index++) {
    const within = random.pick([0, 8, 64, 0xff0, 0xff8, 0xffc, 0xfff, 2049]);
    const page = random.below(PAGES);
    list.setBigUint64(index * 8, DATA + BigInt(page * 0x1000 + within), true);
  }
  const code = assemble(program(random), CODE);
  return guest.load(
    [
      [CODE, code.bytes],
      [VECTOR, SKIP.bytes],
      [LIST, new Uint8Array(list.buffer)],
      ...tables.memory(),
    ],
    {
      ...{ ...OPEN_PMP, ...tables.words(), privilege: 1n, mtvec: BigInt(VECTOR) },
      ...{ s2: BigInt(LIST), s4: DATA + 0xf80n, a1: 1n, a2: 0x0807_0605_0403_0201n },
    },
  );
}

test('accesses by remembered pages do what they do otherwise, faults included', (t) => {
  const interpreted = new Guest(INTERPRETER);
  const compiled = new Guest(THOROUGH);
  let traps = 0n;
  for (let seed = 0; seed < PROGRAMS; seed++) {
    for (const guest of [interpreted, compiled]) enter(guest, seed).run(STEPS);
    t.is(compiled.fingerprint(), interpreted.fingerprint(), `seed ${seed}`);
    traps += interpreted.get('traps');
  }
  t.log(`${traps} traps`);
  t.true(traps > 1000n);
});

const memosOf = (source: string): number => {
  const region = regionOf(source);
  return pageMemos(region, structureRegion(region).nodes).count;
};

const loop = (body: string): string => `again:\n ${body}\n addi s1,s1,-1\n bnez s1,again\n ebreak`;

test('accesses by one pointer have one memo, loads and stores', (t) => {
  t.is(memosOf(loop('lw a0,0(s0)\n sw a0,4(s0)\n addi s0,s0,8\n ld a1,0(s0)')), 1);
  t.is(memosOf(loop('lw a0,0(s0)\n ld a2,0(s2)')), 2);
  t.is(memosOf(loop('ld s0,0(s0)\n ld a1,8(s0)\n ld a2,16(s0)')), 2, 'what was loaded points anew');
});

test('an element of a small table is on the page of the table', (t) => {
  t.is(
    memosOf(loop('lw a1,0(s2)\n andi a0,a0,255\n slli a0,a0,2\n add a0,a0,s2\n lw a0,0(a0)')),
    1,
  );
  t.is(memosOf(loop('lw a1,0(s2)\n slli a0,a0,2\n add a0,a0,s2\n lw a0,0(a0)')), 2);
});

test('there is an end to memos, and loops come first', (t) => {
  const loads = (count: number): string =>
    Array.from({ length: count }, (_, at) => `add a0,s0,s2\n ld a1,${at * 8}(a0)`).join('\n');
  t.is(memosOf(loads(MEMOS_MAX + 5)), MEMOS_MAX);
  const region = regionOf(`${loads(MEMOS_MAX)}\n${loop('ld a1,0(s3)')}`);
  const memos = pageMemos(region, structureRegion(region).nodes);
  const inLoop = [...region.blocks.values()].find(({ end }) => end.kind === 'branch');
  const load = inLoop?.instructions[0];
  t.is(load === undefined ? load : memos.numberOf(load), 0);
});
