/**
 * Goal: the names of the privileged architecture mean the bits that the specification draws.
 * Method: numbers written out from section 3.1.6, 3.1.9 and table 14.
 */

import test from 'ava';
import {
  EXCEPTION,
  INTERRUPT,
  INTERRUPT_PRIORITY,
  MSTATUS,
  SUPERVISOR_INTERRUPTS,
} from '../../../lib/riscv/privilege.js';

test('fields of mstatus do not overlap, and lie where the specification draws them', (t) => {
  const fields = Object.entries(MSTATUS);
  let all = 0n;
  for (const [name, bits] of fields) {
    t.is(all & bits, 0n, name);
    all |= bits;
  }
  // SD, SXL and UXL for 64 bits, TSR to MPRV, FS, MPP, SPP, MPIE, SPIE, MIE, SIE.
  t.is(all, 0x8000_000a_007e_79aan);
});

test('every interrupt has a place in the order of priority, supervisor ones are delegable', (t) => {
  t.deepEqual(
    [...INTERRUPT_PRIORITY].sort((a, b) => a - b),
    Object.values(INTERRUPT),
  );
  t.is(SUPERVISOR_INTERRUPTS, 0x222n);
});

test('exception codes are those of the table', (t) => {
  t.deepEqual(Object.values(EXCEPTION), [2, 3, 4, 5, 6, 7, 8, 9, 11]);
});
