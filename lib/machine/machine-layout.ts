/** The map of a machine's memory, as its configuration gives it: the same in every thread. */

import { planLayout, PAGE_BYTES, type MemoryLayout } from '../memory/layout.js';
import { hartDerivedRegions } from '../riscv/derived.js';
import { hartBlockSpec } from '../riscv/hart-state.js';
import { boardSpecs } from './board.js';
import type { MachineConfig } from './config.js';
import { MACHINE_SPEC } from './machine-state.js';
import { sharedRegions } from './parallel/shared-words.js';

export function machineLayout(config: MachineConfig): MemoryLayout {
  const ramPages = config.memoryBytes / PAGE_BYTES;
  const numbers = Array.from({ length: config.harts }, (_, hart) => hart);
  return planLayout({
    ramBytes: config.memoryBytes,
    blocks: [MACHINE_SPEC, ...numbers.map(hartBlockSpec), ...boardSpecs(config)],
    derived: [
      ...numbers.flatMap((hart) => hartDerivedRegions(hart, ramPages)),
      ...(config.schedule === 'parallel' ? sharedRegions(ramPages) : []),
    ],
  });
}
