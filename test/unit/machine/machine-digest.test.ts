/**
 * Goal: two machines that could run apart have different digests.
 * Method: change one thing at a time.
 */

import test from 'ava';
import { Sha256 } from '../../../lib/base/sha256.js';
import type { MachineConfig, MachineImages } from '../../../lib/machine/config.js';
import { machineDigest } from '../../../lib/machine/machine-digest.js';
import { createRiscvMachine } from '../../../lib/machine/riscv-machine.js';
import { planLayout } from '../../../lib/memory/layout.js';
import { COMPILER, INTERPRETER, PROGRAM_CONFIG } from '../../support/program.js';

const LAYOUT = planLayout({
  ramBytes: 65_536,
  blocks: [{ name: 'a', fields: ['x'] }],
  derived: [],
});
const OTHER = planLayout({ ramBytes: 65_536, blocks: [{ name: 'a', fields: ['y'] }], derived: [] });
const IMAGES: MachineImages = {
  bios: Uint8Array.of(1, 2),
  kernel: Uint8Array.of(3),
  initrd: null,
};

test('every part of a machine changes its digest', (t) => {
  const config: MachineConfig = { ...PROGRAM_CONFIG, append: 'quiet' };
  const configs: readonly Partial<MachineConfig>[] = [
    { memoryBytes: 4 * 2 ** 20 },
    { harts: 2 },
    { append: 'quiet ' },
    { append: '' },
    { initialRate: 5n },
    { rtcStartSeconds: 1n },
    { rngSeed: Uint8Array.of(0) },
    { network: { mac: '52:54:00:12:34:56' } },
    { network: { mac: '52:54:00:12:34:58' } },
  ];
  const images: readonly MachineImages[] = [
    { ...IMAGES, bios: Uint8Array.of(1, 3) },
    { ...IMAGES, bios: null },
    { ...IMAGES, initrd: new Uint8Array(0) },
    // The same bytes at another place.
    { bios: Uint8Array.of(1), kernel: Uint8Array.of(2, 3), initrd: null },
    { bios: Uint8Array.of(1, 2), kernel: null, initrd: Uint8Array.of(3) },
  ];
  const digests = [
    machineDigest(LAYOUT, config, IMAGES, new Sha256()),
    machineDigest(OTHER, config, IMAGES, new Sha256()),
    ...configs.map((change) =>
      machineDigest(LAYOUT, { ...config, ...change }, IMAGES, new Sha256()),
    ),
    ...images.map((other) => machineDigest(LAYOUT, config, other, new Sha256())),
  ];
  t.is(new Set(digests).size, digests.length);
  for (const digest of digests) t.regex(digest, /^[0-9a-f]{64}$/);
});

test('equal machines have equal digests, whatever engine runs them', (t) => {
  const images = { bios: Uint8Array.of(0x6f, 0, 0, 0), kernel: null, initrd: null };
  const one = createRiscvMachine(PROGRAM_CONFIG, images, INTERPRETER);
  t.is(createRiscvMachine(PROGRAM_CONFIG, images, COMPILER).digest, one.digest);
});
