/**
 * The parts of a hart without generated code: its memory, PMP and MMU over a buffer of their own,
 * for tests that ask for many translations.
 */

import { planLayout } from '../../lib/memory/layout.js';
import { hartDerivedRegions } from '../../lib/riscv/derived.js';
import { HartMemory } from '../../lib/riscv/hart-memory.js';
import { HART_WORD, hartBlockSpec, type HartField } from '../../lib/riscv/hart-state.js';
import { Mmu } from '../../lib/riscv/mmu.js';
import { PageRights } from '../../lib/riscv/page-rights.js';
import { Pmp } from '../../lib/riscv/pmp.js';
import { PAGE, PROGRAM_MEMORY_BYTES, type Memory } from './program.js';

export interface HartParts {
  readonly memory: HartMemory;
  readonly pmp: Pmp;
  readonly mmu: Mmu;
  readonly put: (field: HartField, value: bigint) => void;
  readonly fill: (bytes: Memory) => void;
}

/** In M mode, with PMP open to all. `ramBytes` is not touched where nothing is put. */
export function hartParts(ramBytes: number = PROGRAM_MEMORY_BYTES): HartParts {
  const layout = planLayout({
    ramBytes,
    blocks: [hartBlockSpec(0)],
    derived: hartDerivedRegions(0, ramBytes / PAGE),
  });
  const memory = new HartMemory(0, layout, new SharedArrayBuffer(layout.totalBytes));
  const pmp = new Pmp(memory);
  const mmu = new Mmu(memory, pmp, new PageRights(memory, null));
  const put = (field: HartField, value: bigint): void => {
    memory.block.set(HART_WORD[field], value);
  };
  put('privilege', 3n);
  pmp.writeAddress(0, (1n << 54n) - 1n);
  pmp.writeConfig(0, 0x1fn);
  const fill = (bytes: Memory): void => {
    for (const [address, part] of bytes) {
      new Uint8Array(memory.view.buffer, memory.hostOf(address), part.length).set(part);
    }
  };
  return { memory, pmp, mmu, put, fill };
}
