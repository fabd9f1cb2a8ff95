/**
 * Guests on which the ways to execute are compared, driven by a host whose every act is a function
 * of the guest's steps: output is taken at once, a parked hart wakes at its deadline, entropy comes
 * at multiples of a fixed number of steps. So where a run is stopped has no part in its state.
 */

import { createHash, type Hash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { present } from '../../lib/base/assert.js';
import type { RegionObserver } from '../../lib/jit/region-observer.js';
import { DEFAULT_RATE, type MachineImages } from '../../lib/machine/config.js';
import type { EngineOptions } from '../../lib/machine/engine.js';
import type { Machine } from '../../lib/machine/machine.js';
import { createRiscvMachine } from '../../lib/machine/riscv-machine.js';
import { PROGRAMS, programFile } from '../bench/programs.js';
import { cachedDebianImage, readImages } from './debian.js';
import { Guest } from './program.js';
import { loadMixed } from './program-mixed.js';
import { Random } from './random.js';

const HART = 0;
const ENTROPY_STEPS = 1_000_000n;
const BENCH_BYTES = 128 * 2 ** 20;
const DEBIAN_BYTES = 256 * 2 ** 20;

export interface Subject {
  readonly name: string;
  /** Stops lie up to 2 to the power of this many steps apart; short ones are as frequent. */
  readonly gapBits: number;
  /** Part of all stops of a campaign. */
  readonly share: number;
  readonly create: (engine: EngineOptions, regions: RegionObserver) => Machine;
}

const MIXED: Subject = {
  name: 'mixed',
  gapBits: 10,
  share: 0.5,
  create: (engine, regions) => loadMixed(new Guest(engine, regions)).machine,
};

const BENCH: readonly Subject[] = PROGRAMS.map((program) => ({
  name: program.name,
  gapBits: 16,
  share: 0.3 / PROGRAMS.length,
  create: (engine, regions) =>
    create({ kernel: readFileSync(programFile(program)) }, BENCH_BYTES, { engine, regions }),
}));

const DEBIAN = 'debian';

/** The mixed program, a program of the benchmarks, or Debian from its power-on. */
export async function subjectOf(name: string): Promise<Subject | null> {
  if (name !== DEBIAN) return [MIXED, ...BENCH].find((known) => known.name === name) ?? null;
  const images = await readImages(await cachedDebianImage());
  return {
    name,
    gapBits: 17,
    share: 0.2,
    create: (engine, regions) => create(images, DEBIAN_BYTES, { engine, regions }),
  };
}

export const SUBJECTS: readonly string[] = [MIXED.name, ...BENCH.map(({ name }) => name), DEBIAN];

function create(
  images: Partial<MachineImages>,
  memoryBytes: number,
  { engine, regions }: { readonly engine: EngineOptions; readonly regions: RegionObserver },
): Machine {
  return createRiscvMachine(
    {
      memoryBytes,
      harts: 1,
      schedule: 'turns',
      append: 'console=ttyS0',
      initialRate: DEFAULT_RATE,
      rtcStartSeconds: 1_700_000_000n,
      rngSeed: new Uint8Array(32).fill(7),
      network: null,
      disks: [],
    },
    { bios: null, kernel: null, initrd: null, ...images },
    engine,
    { regions },
  );
}

/** Runs to `step`, or to the end of the guest. */
export function drive(machine: Machine, step: bigint): void {
  for (;;) {
    const here = machine.step(HART);
    const next = (here / ENTROPY_STEPS + 1n) * ENTROPY_STEPS;
    const result = machine.runUntil({ hart: HART, step: next < step ? next : step });
    machine.takeOutput();
    machine.takeInterrupts();
    const at = machine.step(HART);
    if (result.reason === 'stopped') return;
    if (result.reason === 'parked') {
      const time = present(result.deadline, 'a guest that waits for its timer');
      const now = machine.time(HART);
      machine.apply({ kind: 'wake', hart: HART, step: at, time: time > now ? time : now });
    } else if (result.reason === 'reached' && at % ENTROPY_STEPS === 0n) supplyEntropy(machine, at);
    if (at === step && result.reason === 'reached') return;
  }
}

function supplyEntropy(machine: Machine, step: bigint): void {
  const wanted = machine.entropyWanted();
  if (wanted === 0) return;
  const bytes = new Random(Number(step / ENTROPY_STEPS)).bytes(wanted);
  machine.apply({ kind: 'entropy', hart: HART, step, bytes });
}

/** Steps at which a run of a subject is stopped: from a seed, alike for all ways to execute. */
export function stopsOf({ gapBits }: Subject, seed: number, count: number): bigint[] {
  const random = new Random(seed);
  let step = 0n;
  return Array.from({ length: count }, () => {
    step += BigInt(1 + random.below(2 ** (1 + random.below(gapBits))));
    return step;
  });
}

const PAGES_EVERY = 50;

/** Hashes of the state at one stop after another: words always, what was written now and then. */
export class StateHasher {
  private readonly machine: Machine;
  private stops = 0;

  constructor(machine: Machine) {
    this.machine = machine;
  }

  next(): string {
    const hash = createHash('sha256').update(this.machine.saveWords());
    if (this.stops++ % PAGES_EVERY === 0) this.addPages(hash);
    return hash.digest('hex').slice(0, 16);
  }

  private addPages(hash: Hash): void {
    for (const [page, digest] of this.machine.takeDirtyPages()) hash.update(`${page}:${digest} `);
  }
}
