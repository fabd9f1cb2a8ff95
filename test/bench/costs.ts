/**
 * What a part of Lockstep costs: the same work with it and without it, in turn.
 *
 *   counting    compiled code counts steps, or does not. Both run with V8's optimising compiler
 *               alone: a loop that never leaves its code would never leave the baseline tier.
 *   recording   `lockstep record` beside `lockstep run`: events, hashes, a log on disk
 *   hashing     a recording beside one that hashes no state, in one thread, the log dropped
 *
 * Counting and hashing are told in seconds of processor time, recording in seconds of wall time.
 */

import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { lockstepCommand, type CommandLine } from './emulators.js';
import { lastWords } from './figure.js';
import { runMeasured } from './measured-process.js';
import { PROGRAMS, parseAnswer, programFile, type Program } from './programs.js';
import { geometricMean, median } from './statistics.js';
import type { Variant, VariantAnswer } from './variant-run.js';

export const COSTS = ['counting', 'recording', 'hashing'] as const;
export type CostName = (typeof COSTS)[number];

export interface Cost {
  readonly name: CostName;
  readonly programs: readonly {
    readonly program: string;
    readonly withoutSeconds: number;
    readonly withSeconds: number;
  }[];
  /** Geometric mean of with over without: 1.05 is 5 %. */
  readonly ratio: number;
  readonly complaints: readonly string[];
}

const VARIANT_RUN = fileURLToPath(new URL('./variant-run.js', import.meta.url));
/** Work of each kind: in registers, over memory, in and out of the kernel, over address spaces. */
const SOME = ['sort', 'stream', 'syscall', 'switch'];

interface Side {
  command(program: Program, folder: string): CommandLine;
  /** From what it printed and how long it took; null where it failed. */
  answer(
    program: Program,
    run: { readonly stdout: string; readonly seconds: number },
  ): { readonly checksum: string; readonly seconds: number } | null;
}

function variant(name: Variant, nodeFlags: readonly string[] = []): Side {
  return {
    command: (program) => ({
      program: process.execPath,
      words: [...nodeFlags, VARIANT_RUN, name, programFile(program)],
    }),
    answer: (program, { stdout }) => {
      const { seconds, text } = JSON.parse(stdout) as VariantAnswer;
      const answer = parseAnswer(program, text);
      return answer === null ? null : { checksum: answer.checksum, seconds };
    },
  };
}

function lockstepProcess(words: (folder: string) => readonly string[]): Side {
  return {
    command: (program, folder) => {
      const kernel = programFile(program);
      return lockstepCommand({ bios: 'none', kernel, memoryMegabytes: 128 }, words(folder));
    },
    answer: (program, { stdout, seconds }) => {
      const answer = parseAnswer(program, stdout);
      return answer === null ? null : { checksum: answer.checksum, seconds };
    },
  };
}

const OPTIMISED = ['--no-liftoff'];

const SIDES: Readonly<
  Record<CostName, { readonly programs: readonly Program[]; without: Side; with: Side }>
> = {
  counting: {
    programs: PROGRAMS.filter(({ group }) => group === 'compute'),
    without: variant('uncounted', OPTIMISED),
    with: variant('counted', OPTIMISED),
  },
  recording: {
    programs: PROGRAMS.filter(({ name }) => SOME.includes(name)),
    without: lockstepProcess(() => ['run']),
    with: lockstepProcess((folder) => ['record', '--log', join(folder, 'log')]),
  },
  hashing: {
    programs: PROGRAMS.filter(({ name }) => SOME.includes(name)),
    without: variant('unhashed'),
    with: variant('recorded'),
  },
};

export async function benchCost(
  name: CostName,
  { runs, folder }: { readonly runs: number; readonly folder: string },
): Promise<Cost> {
  const sides = SIDES[name];
  const complaints: string[] = [];
  const programs: Cost['programs'][number][] = [];
  for (const program of sides.programs) {
    const seconds: { without: number[]; with: number[] } = { without: [], with: [] };
    const checksums = new Set<string>();
    for (let round = 0; round < runs; round++) {
      for (const side of ['without', 'with'] as const) {
        const run = await runMeasured(sides[side].command(program, folder));
        await rm(join(folder, 'log'), { recursive: true, force: true });
        const answer = run.status === 0 ? sides[side].answer(program, run) : null;
        if (answer === null) {
          complaints.push(`${program.name} ${side} ${name}: ${lastWords(run)}`);
          continue;
        }
        seconds[side].push(answer.seconds);
        checksums.add(answer.checksum);
      }
    }
    if (checksums.size > 1) complaints.push(`${program.name}: ${name} changes the result`);
    if (seconds.without.length === 0 || seconds.with.length === 0) continue;
    programs.push({
      program: program.name,
      withoutSeconds: median(seconds.without),
      withSeconds: median(seconds.with),
    });
  }
  const ratios = programs.map((one) => one.withSeconds / one.withoutSeconds);
  const ratio = ratios.length === 0 ? Number.NaN : geometricMean(ratios);
  return { name, programs, ratio, complaints };
}
