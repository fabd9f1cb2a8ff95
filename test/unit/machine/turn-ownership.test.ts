/**
 * Goal: while a hart may write a page, no other hart may touch it.
 * Method: three harts that wander over the same pages; their flags, read every few thousand steps.
 */

import test from 'ava';
import { PAGE_READABLE, PAGE_WRITABLE } from '../../../lib/riscv/hart-memory.js';
import type { Hart } from '../../../lib/riscv/hart.js';
import { UNOBSERVED } from '../../../lib/jit/region-observer.js';
import { assemble } from '../../support/assembler.js';
import { COMPILER, Guest } from '../../support/program.js';

/** Each hart reads one page after another and writes some of them. */
const WANDERING = assemble(`
  csrr a0,mhartid
  li a1,0x80010000
  li a3,0x80030000
  addi a4,a0,3
restart:
  mv t0,a1
loop:
  ld t1,0(t0)
  addi a5,a5,1
  rem t2,a5,a4
  bnez t2,next
  sd a5,8(t0)
next:
  li t3,4096
  add t0,t0,t3
  bltu t0,a3,loop
  j restart`);

test('a page that one hart may write is no other hart\u2019s to read', (t) => {
  const guest = new Guest(COMPILER, UNOBSERVED, 3).program(WANDERING);
  const { harts } = guest.machine as unknown as { readonly harts: readonly Hart[] };
  let [shared, owned] = [0, 0];
  for (let round = 0; round < 100; round++) {
    guest.machine.runFor(4567n);
    for (let page = 0; page < guest.machine.ramPageCount; page++) {
      const flags = harts.map((hart) => hart.memory.flags(page));
      const readers = flags.filter((own) => (own & PAGE_READABLE) !== 0).length;
      const writers = flags.filter((own) => (own & PAGE_WRITABLE) !== 0).length;
      if (writers > 0 && readers > 1) return t.fail(`page ${page}: ${flags.join(' ')}`);
      if (writers > 0) owned++;
      if (readers > 1) shared++;
    }
  }
  t.true(owned > 100 && shared > 100, 'both were seen');
});
