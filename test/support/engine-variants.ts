/**
 * Ways to execute a guest that must not show in its state: interpreted, compiled from the first
 * jump on, quickly or thoroughly, compiled at random moments with the cache emptied at random
 * moments, and by one only of V8's compilers (which are flags of the process).
 */

import {
  UNOBSERVED,
  type RegionControl,
  type RegionObserver,
} from '../../lib/jit/region-observer.js';
import type { EngineOptions } from '../../lib/machine/engine.js';
import { drive, StateHasher, stopsOf, type Subject } from './engine-subjects.js';
import { Random } from './random.js';

export interface Variant {
  readonly name: string;
  readonly nodeFlags: readonly string[];
  /** Of one run. */
  readonly engine: (random: Random) => EngineOptions;
  /** One stop in so many empties the cache; 0 for none. */
  readonly dropsEvery: number;
}

/** More samples than are taken. */
const NEVER = Infinity;
const PLAIN = { nodeFlags: [], dropsEvery: 0 };
const compiled = (hotAfter: number, thoroughAfter = NEVER): EngineOptions => ({
  ...{ engine: 'compiler', hotAfter, thoroughAfter },
});

export const INTERPRETED: Variant = {
  ...PLAIN,
  name: 'interpreter',
  engine: () => ({ engine: 'interpreter', hotAfter: 1 }),
};

export const VARIANTS: readonly Variant[] = [
  INTERPRETED,
  { ...PLAIN, name: 'compiler-forced', engine: () => compiled(1) },
  { ...PLAIN, name: 'thorough', engine: () => compiled(1, 0) },
  {
    ...PLAIN,
    name: 'random-tiers',
    engine: (random) => compiled(1 + random.below(2 ** (1 + random.below(10))), random.below(4)),
    dropsEvery: 40,
  },
  { ...PLAIN, name: 'liftoff-only', engine: () => compiled(20), nodeFlags: ['--liftoff-only'] },
  { ...PLAIN, name: 'no-liftoff', engine: () => compiled(20, 0), nodeFlags: ['--no-liftoff'] },
];

export interface RunPlan {
  readonly subject: Subject;
  readonly variant: Variant;
  readonly seed: number;
  readonly stops: number;
}

/** Runs a subject, and gives `STEP HASH` of each stop. */
export function* hashesOf({ subject, variant, seed, stops }: RunPlan): Generator<string> {
  const random = new Random(seed ^ 0x7e57);
  const controls: RegionControl[] = [];
  const regions: RegionObserver = {
    ...UNOBSERVED,
    created: (control) => {
      controls.push(control);
    },
  };
  const machine = subject.create(variant.engine(random), regions);
  const hasher = new StateHasher(machine);
  for (const step of stopsOf(subject, seed, stops)) {
    drive(machine, step);
    yield `${step} ${hasher.next()}`;
    if (variant.dropsEvery > 0 && random.below(variant.dropsEvery) === 0) controls[0]?.clear();
  }
}

/** The first stop at which two runs differ, in words; null if there is none. */
export function firstDifference(
  expected: readonly string[],
  actual: readonly string[],
): string | null {
  const at = expected.findIndex((line, index) => line !== actual[index]);
  if (at < 0) return actual.length === expected.length ? null : `${actual.length} stops`;
  return `stop ${at}: ${actual[at] ?? 'none'}, interpreted ${expected[at] ?? 'none'}`;
}
