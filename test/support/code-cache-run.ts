/**
 * Runs the guest that generates code without end, and watches what its compiled code costs.
 */

import { assert } from '../../lib/base/assert.js';
import type { RegionControl, RegionStatistics } from '../../lib/jit/region-observer.js';
import { REGIONS_MAX } from '../../lib/jit/region-cache.js';
import { generatingMachine, TABLES } from './program-generate.js';

/** Iterations of each generated loop, and meetings of its head before it is compiled. */
const ITERATIONS = 5_000;
const HOT_AFTER = 100;
const SAMPLES = 20;

/** The table of functions grows by pieces of this length. */
const TABLE_PIECE = 1024;
/** Of compiled code with everything that V8 keeps for it, collected or not yet. */
export const GROWTH_MAX_BYTES = 512 * 2 ** 20;

export interface CodeCacheRun {
  /** Memory of the process before there was a machine. */
  readonly residentBefore: number;
  readonly samples: readonly CodeCacheSample[];
  /** Regions compiled of the program that generates. */
  readonly generatorCompiled: number;
}

export interface CodeCacheSample {
  readonly step: bigint;
  readonly statistics: RegionStatistics;
  readonly tableLength: number;
  readonly residentBytes: number;
}

/** Samples at equal distances; `told` gets each as it is made. */
export function runGenerating(
  steps: bigint,
  told: (sample: CodeCacheSample) => void,
): CodeCacheRun {
  const residentBefore = process.memoryUsage.rss();
  let latest: RegionStatistics | null = null;
  let generatorCompiled = 0;
  const controls: RegionControl[] = [];
  const machine = generatingMachine(
    ITERATIONS,
    { engine: 'compiler', hotAfter: HOT_AFTER },
    {
      monotonicNs: () => 0n,
      created: (control) => {
        controls.push(control);
      },
      changed: (statistics) => {
        latest = { ...statistics };
      },
      compiled: ({ region }) => {
        if (region.start < BigInt(TABLES)) generatorCompiled++;
      },
    },
  );
  const samples = Array.from({ length: SAMPLES }, (_, index) => {
    const step = (steps * BigInt(index + 1)) / BigInt(SAMPLES);
    const result = machine.runUntil({ hart: 0, step });
    assert(result.reason === 'reached', `the guest came back with ${result.reason}`);
    assert(latest !== null, 'regions are compiled');
    const sample = {
      step,
      statistics: latest,
      tableLength: controls[0]?.tableLength ?? 0,
      residentBytes: process.memoryUsage.rss(),
    };
    told(sample);
    return sample;
  });
  return { residentBefore, samples, generatorCompiled };
}

/** What is beyond its bound; nothing, if all is well. */
export function complaintsOf({ residentBefore, samples }: CodeCacheRun): readonly string[] {
  return samples.flatMap(({ step, statistics, tableLength, residentBytes }, index) => {
    const complain = (what: string): string => `step ${step}: ${what}`;
    const { live } = statistics;
    const compiled = statistics.compiled - (samples[index - 1]?.statistics.compiled ?? 0);
    const growth = residentBytes - residentBefore;
    return [
      // A guest that has died generates nothing, and every bound would be kept.
      ...(compiled === 0 ? [complain('nothing compiled any more')] : []),
      ...(live > REGIONS_MAX ? [complain(`${live} regions live`)] : []),
      ...(tableLength > REGIONS_MAX + TABLE_PIECE + 1
        ? [complain(`a table of ${tableLength} functions`)]
        : []),
      ...(growth > GROWTH_MAX_BYTES ? [complain(`${growth} bytes more resident`)] : []),
    ];
  });
}
