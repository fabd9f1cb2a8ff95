/**
 * Goal: what is done to a hart on another thread is seen in its words, and left to it as an errand.
 * Method: the machine's end of a hart, without its thread.
 */

import test from 'ava';
import { HartMemory, PAGE_DIRTY } from '../../../../lib/riscv/hart-memory.js';
import { RemoteHart } from '../../../../lib/machine/parallel/remote-hart.js';
import { ERRAND, SharedWords } from '../../../../lib/machine/parallel/shared-words.js';
import { machineLayout } from '../../../../lib/machine/machine-layout.js';
import { PROGRAM_CONFIG } from '../../../support/program.js';

const CONFIG = { ...PROGRAM_CONFIG, harts: 2, schedule: 'parallel' as const };

test('dirty pages are taken at once, and the right to store without asking by errand', (t) => {
  const layout = machineLayout(CONFIG);
  const buffer = new SharedArrayBuffer(layout.totalBytes);
  const words = new SharedWords(2, layout, buffer);
  const hart = new RemoteHart(words, new HartMemory(1, layout, buffer));
  hart.memory.addFlags(3, PAGE_DIRTY);
  hart.memory.addFlags(9, PAGE_DIRTY);
  t.deepEqual(hart.takeDirtyPages(), [3, 9]);
  t.deepEqual(hart.takeDirtyPages(), []);
  t.is(words.takeErrands(1), ERRAND.revokeWrites);
  hart.reset(0x8000_0000n, [[10, 1n]]);
  t.is(words.takeErrands(1), ERRAND.forgetAll);
  words.steps[1] = 12;
  t.is(hart.step(), 12n, 'where it stands, not what its word says');
});
