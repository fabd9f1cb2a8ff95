/**
 * Goal: the module that makes machines is where workers look for it.
 * Method: it is imported by its name.
 */

import test from 'ava';
import { RISCV_MACHINE } from '../../../lib/host/machine-module.js';

test('the module of the RISC-V machine makes machines', async (t) => {
  const module = (await import(RISCV_MACHINE)) as { readonly createRiscvMachine?: unknown };
  t.is(typeof module.createRiscvMachine, 'function');
});
