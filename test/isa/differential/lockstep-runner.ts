/**
 * Runs a test image on Lockstep's machine, in this process, and returns its signature.
 */

import { DEFAULT_RATE, RAM_BASE } from '../../../lib/machine/config.js';
import type { EngineOptions } from '../../../lib/machine/engine.js';
import type { Machine } from '../../../lib/machine/machine.js';
import { createRiscvMachine } from '../../../lib/machine/riscv-machine.js';
import type { TestImage } from './image.js';

const MEMORY_BYTES = 64 * 2 ** 20;
const PAGE_BYTES = 4096;
/** A block runs a few thousand steps, most of them around it; more than this is a runaway. */
const STEP_LIMIT = 4_000_000_000n;

export interface LockstepRun {
  readonly signature: Uint8Array;
  readonly retired: bigint;
}

export function runOnLockstep(image: TestImage, engine: EngineOptions): LockstepRun {
  const machine = createRiscvMachine(
    {
      memoryBytes: MEMORY_BYTES,
      harts: 1,
      schedule: 'turns',
      append: '',
      initialRate: DEFAULT_RATE,
      rtcStartSeconds: 0n,
      rngSeed: new Uint8Array(0),
      network: null,
      disks: [],
    },
    { bios: null, kernel: image.elf, initrd: null },
    engine,
  );
  const result = machine.runUntil({ hart: 0, step: STEP_LIMIT });
  if (result.reason !== 'stopped' || result.stop.status !== 0) {
    const detail = JSON.stringify(result, (_key, value: unknown) =>
      typeof value === 'bigint' ? value.toString() : value,
    );
    throw new Error(`Lockstep came back with ${detail} after ${machine.step(0)} steps`);
  }
  return { signature: readMemory(machine, image.begin, image.end), retired: machine.retired(0) };
}

/** Physical memory from `begin` to `end`. */
function readMemory(machine: Machine, begin: number, end: number): Uint8Array {
  const bytes = new Uint8Array(end - begin);
  for (let address = begin & ~(PAGE_BYTES - 1); address >>> 0 < end; address += PAGE_BYTES) {
    const start = address >>> 0;
    const page = machine.savePage((start - RAM_BASE) / PAGE_BYTES);
    if (page === null) continue;
    const from = Math.max(begin, start);
    const to = Math.min(end, start + PAGE_BYTES);
    bytes.set(page.subarray(from - start, to - start), from - begin);
  }
  return bytes;
}
