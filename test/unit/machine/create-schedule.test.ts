/**
 * Goal: harts take turns unless they are to run in parallel, which needs threads.
 * Method: machines of both sorts.
 */

import test from 'ava';
import { createRiscvMachine } from '../../../lib/machine/riscv-machine.js';
import { parallelMachine } from '../../support/parallel-guest.js';
import { INTERPRETER, PROGRAM_CONFIG } from '../../support/program.js';

const IMAGES = { bios: Uint8Array.of(0x6f, 0, 0, 0), kernel: null, initrd: null };

test('only harts in parallel are replayed together', (t) => {
  const turns = createRiscvMachine({ ...PROGRAM_CONFIG, harts: 2 }, IMAGES, INTERPRETER);
  t.is(turns.parallel, null);
  const parallel = parallelMachine('loop: j loop', { harts: 2, engine: INTERPRETER });
  t.not(parallel.parallel, null);
  t.not(parallel.digest, turns.digest, 'two nodes that differ in it refuse each other');
});

test('without threads harts in parallel are refused', (t) => {
  const config = { ...PROGRAM_CONFIG, harts: 2, schedule: 'parallel' as const };
  t.throws(() => createRiscvMachine(config, IMAGES, INTERPRETER), { code: 'USAGE' });
});
