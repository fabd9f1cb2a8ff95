/**
 * Goal: registers that point near each other are known as one pointer, and no others.
 * Method: one block assembled in the test, executed instruction by instruction.
 */

import test from 'ava';
import { Pointers } from '../../../lib/jit/pointers.js';
import { regionOf } from '../../support/region.js';

const A0 = 10;
const S0 = 8;

/** Whether a0 and s0 are one pointer behind a block. */
function isOne(source: string): boolean {
  const pointers = new Pointers();
  const [block] = regionOf(`${source}\n ebreak`).blocks.values();
  for (const entry of block?.instructions ?? []) pointers.execute(entry);
  return pointers.of(A0) === pointers.of(S0);
}

test('a pointer and what is a constant or a small number away from it are one', (t) => {
  const near = [
    'addi a0,s0,64',
    'mv a0,s0',
    'lbu a1,0(s0)\n add a0,s0,a1',
    'andi a1,a1,511\n slli a1,a1,3\n add a0,a1,s0',
    'slli a1,a1,56\n srli a1,a1,56\n add a0,s0,a1',
    'andi a1,a1,127\n andi a1,a1,-2\n add a0,s0,a1',
  ];
  t.deepEqual(near.filter(isOne), near);
});

test('a large or unknown distance makes another pointer', (t) => {
  const far = [
    'add a0,s0,a1',
    'andi a1,a1,1023\n slli a1,a1,3\n add a0,a1,s0',
    'andi a1,a1,-2\n add a0,s0,a1',
    'li a0,64',
    'ld a0,0(s0)',
    'lbu a1,0(s0)\n lh a1,0(s0)\n add a0,s0,a1',
  ];
  t.deepEqual(far.filter(isOne), []);
});
