/**
 * Runs a guest in this thread and notes which compiled regions it spends its steps in.
 *
 * The place is looked at every so many steps, so a share of samples is a share of steps, not
 * of time; and since nothing of the host has a part in the run, the samples are the same every
 * time.
 */

import { assert } from '../lib/base/assert.js';
import { LockstepError } from '../lib/base/error.js';
import { MAX_ENTROPY_BYTES } from '../lib/event/limits.js';
import type { CompiledModule } from '../lib/jit/region-observer.js';
import type { Machine } from '../lib/machine/machine.js';
import { createRiscvMachine } from '../lib/machine/riscv-machine.js';
import type { MachineSpec } from '../lib/node/machine-spec.js';

const HART = 0;
/** Primes, so that loops don't fall into step with them. */
const SAMPLE_STEPS = 19_997n;
/** Each sample ends a stretch, and where the next begins counts as a jump there: not too many. */
const LONG_SAMPLE_STEPS = 999_983n;
const LONG_RUN_STEPS = 500_000_000n;

export interface ProfiledRegion extends CompiledModule {
  samples: number;
}

export interface RegionProfile {
  /** In the order in which they were compiled, dropped ones included. */
  readonly regions: readonly ProfiledRegion[];
  readonly samples: number;
  readonly steps: bigint;
  /** Why the run ended. */
  readonly end: 'reached' | 'stopped' | 'parked';
}

/** Errors: those of building the machine; USAGE for a machine with disks. */
export function profileRegions(spec: MachineSpec, untilStep: bigint): RegionProfile {
  if (spec.config.disks.length > 0) {
    throw new LockstepError('USAGE', 'a machine with disks is not run here');
  }
  const regions: ProfiledRegion[] = [];
  /** By the address of each instruction; the newest region that has it. */
  const places = new Map<bigint, ProfiledRegion>();
  const machine = createRiscvMachine(spec.config, spec.images, spec.engine, {
    regions: {
      monotonicNs: () => 0n,
      changed: () => undefined,
      compiled: (module) => {
        const region = { ...module, samples: 0 };
        regions.push(region);
        for (const { instructions } of module.region.blocks.values()) {
          for (const { pc } of instructions) places.set(pc, region);
        }
      },
    },
  });
  let samples = 0;
  const pcWord = wordNamed(machine, 'hart0.pc');
  const sample = (): void => {
    samples++;
    const region = places.get(machine.words()[pcWord] ?? 0n);
    if (region !== undefined) region.samples++;
  };
  const end = runSampled(machine, { untilStep, sample });
  return { regions, samples, steps: machine.step(HART), end };
}

function runSampled(
  machine: Machine,
  { untilStep, sample }: { readonly untilStep: bigint; readonly sample: () => void },
): RegionProfile['end'] {
  const interval = untilStep < LONG_RUN_STEPS ? SAMPLE_STEPS : LONG_SAMPLE_STEPS;
  let next = interval;
  for (;;) {
    const step = machine.step(HART);
    if (machine.stopped() !== null) return 'stopped';
    if (step >= untilStep) return 'reached';
    feedEntropy(machine);
    const result = machine.runUntil({ hart: HART, step: next < untilStep ? next : untilStep });
    machine.takeOutput();
    machine.takeInterrupts();
    if (result.reason === 'parked') {
      if (result.deadline === null) return 'parked';
      const { deadline: time } = result;
      machine.apply({ kind: 'wake', hart: HART, step: machine.step(HART), time });
    }
    if (machine.step(HART) < next) continue;
    sample();
    next += interval;
  }
}

/** Random numbers are zeros here. */
function feedEntropy(machine: Machine): void {
  const wanted = machine.entropyWanted();
  if (wanted === 0) return;
  const bytes = new Uint8Array(Math.min(wanted, MAX_ENTROPY_BYTES));
  machine.apply({ kind: 'entropy', hart: HART, step: machine.step(HART), bytes });
}

function wordNamed(machine: Machine, name: string): number {
  const count = machine.words().length;
  for (let index = 0; index < count; index++) {
    if (machine.wordName(index) === name) return index;
  }
  assert(false, `a machine without a word ${name}`);
}
