/**
 * Goal: the regions that a guest spends its steps in are found, the same ones every time.
 * Method: a program whose hot loop is known, run twice.
 */

import test from 'ava';
import type { MachineSpec } from '../../../lib/node/machine-spec.js';
import { profileRegions } from '../../../tools/region-profile.js';
import { summaryOf } from '../../../tools/commands/regions.js';
import { assemble } from '../../support/assembler.js';
import { PROGRAM_CONFIG } from '../../support/program.js';

function specOf(source: string): MachineSpec {
  return {
    config: PROGRAM_CONFIG,
    images: { bios: assemble(source).bytes, kernel: null, initrd: null },
    diskBases: [],
    imageFiles: [],
    network: null,
    engine: { engine: 'compiler', hotAfter: 100 },
    machineFactory: null,
  };
}

const LOOPS = `
  li a0,2000
few:
  addi a0,a0,-1
  bnez a0,few
  li a0,2000000
many:
  addi a1,a1,3
  addi a0,a0,-1
  bnez a0,many
  wfi
`;

test('the loop that takes the steps is the hottest region, in every run', (t) => {
  const spec = specOf(LOOPS);
  const profile = profileRegions(spec, 3_000_000n);
  t.is(profile.end, 'reached');
  t.is(profile.steps, 3_000_000n);
  const hottest = [...profile.regions].sort((a, b) => b.samples - a.samples)[0];
  t.true((hottest?.samples ?? 0) > profile.samples * 0.95);
  t.true([...(hottest?.region.blocks.keys() ?? [])].some((pc) => pc > 0x8000_0000n));
  t.deepEqual(
    profileRegions(spec, 3_000_000n).regions.map(({ samples }) => samples),
    profile.regions.map(({ samples }) => samples),
  );
  t.regex(summaryOf(profile), /^\d+ regions with \d+ instructions compiled in 3000000 steps; /);
});

test('a guest that stops or parks for ever ends the run', (t) => {
  t.is(profileRegions(specOf(LOOPS), 100_000_000n).end, 'parked');
  const stopping = 'li a0,0x100000\n li a1,0x5555\n sw a1,0(a0)\nstay: j stay';
  const profile = profileRegions(specOf(stopping), 1_000n);
  t.is(profile.end, 'stopped');
  t.is(
    summaryOf(profile),
    '0 regions with 0 instructions compiled in 4 steps, where the guest stopped',
  );
});
