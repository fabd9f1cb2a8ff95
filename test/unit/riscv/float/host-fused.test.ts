/**
 * Goal: where the host's own multiply-add is taken, a fused multiply-add is what it is without.
 * Method: V8 is told to offer it, as the host of a hart tells it; the same vectors as for the
 * plain operations (`fused.test.ts`), against an emulated RISC-V instruction.
 */

import test from 'ava';
import { setEngineFlags } from '../../../../lib/host/engine-flags.js';
import { hostFuses } from '../../../../lib/riscv/float/host-fused.js';
import type { FloatFunction } from '../../../../lib/riscv/float/library.js';
import { agreesWithOracle } from '../../../support/float-oracle-check.js';

setEngineFlags();

const OPERATIONS: readonly FloatFunction[] = ['f32_fma', 'f64_fma'];

test('the host is asked once, and its answer stays', (t) => {
  const answer = hostFuses();
  t.log(answer ? 'this host rounds once' : 'this host rounds twice');
  t.is(hostFuses(), answer);
});

for (const operation of OPERATIONS) {
  test(`${operation} in one step has the value and the flags of a RISC-V instruction`, (t) => {
    agreesWithOracle(t, operation);
  });
}
