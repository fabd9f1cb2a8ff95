/**
 * Goal: dirty pages of all harts are named and hashed once.
 * Method: two harts that write to pages of their own and to a shared one.
 */

import test from 'ava';
import { assemble } from '../../support/assembler.js';
import { UNOBSERVED } from '../../../lib/jit/region-observer.js';
import { COMPILER, Guest } from '../../support/program.js';

test('pages written by any hart are dirty once, with the hash of what they hold', (t) => {
  const guest = new Guest(COMPILER, UNOBSERVED, 2).program(
    assemble(`
      csrr a0,mhartid
      slli a1,a0,12
      li a2,0x80010000
      add a2,a2,a1
      li a3,0x80020000
      sd a2,0(a2)
      sd a2,8(a3)
    loop: j loop`),
  );
  guest.machine.takeDirtyPages();
  guest.machine.runFor(50_000n);
  const dirty = guest.machine.takeDirtyPages();
  t.deepEqual(
    dirty.map(([page]) => page),
    [16, 17, 32],
  );
  t.is(new Set(dirty.map(([, hash]) => hash)).size, 3);
  t.deepEqual(guest.machine.takeDirtyPages(), []);
});

test('a page of RAM is named by its address', (t) => {
  t.is(new Guest().machine.pageName(2), 'page 2 (0x80002000)');
});
