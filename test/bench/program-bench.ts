/**
 * Runs one bare-metal program on each emulator in turn, as often as asked, and holds their answers
 * against each other: equal checksums everywhere, equal counts of retired instructions wherever
 * instructions are counted.
 */

import type { Emulator, Emulators } from './emulators.js';
import { lastWords, timesOf, type Outcome } from './figure.js';
import { runMeasured, type MeasuredRun } from './measured-process.js';
import { parseAnswer, programFile, type Program, type ProgramAnswer } from './programs.js';

const MEMORY_MEGABYTES = 128;

export interface BenchOptions {
  readonly chosen: readonly Emulator[];
  readonly runs: number;
  /** For what a run writes; emptied by who made it. */
  readonly folder: string;
}

export async function benchProgram(
  program: Program,
  emulators: Emulators,
  { chosen, runs, folder }: BenchOptions,
): Promise<Outcome> {
  const guest = { bios: 'none', kernel: programFile(program), memoryMegabytes: MEMORY_MEGABYTES };
  const done = new Map<Emulator, MeasuredRun[]>(chosen.map((name) => [name, []]));
  for (let round = 0; round < runs; round++) {
    for (const [emulator, list] of done) {
      list.push(await runMeasured(emulators.commandFor(emulator, guest, folder)));
    }
  }
  const complaints: string[] = [];
  const answers = new Map<Emulator, ProgramAnswer>();
  for (const [emulator, list] of done) {
    for (const run of list) {
      const answer = run.status === 0 ? parseAnswer(program, run.stdout) : null;
      if (answer === null) complaints.push(`${program.name} on ${emulator}: ${lastWords(run)}`);
      else complaints.push(...compare(program, emulator, [answers.get('lockstep'), answer]));
      if (answer !== null) answers.set(emulator, answer);
    }
  }
  const times = timesOf(done);
  const retired = answers.get('lockstep')?.retired ?? null;
  return { figures: [{ ...program, emulators: times, retired }], complaints };
}

/** An answer against the one that Lockstep gave first; plain QEMU's count is a clock's. */
function compare(
  program: Program,
  emulator: Emulator,
  [ours, theirs]: readonly [ProgramAnswer | undefined, ProgramAnswer],
): string[] {
  if (ours === undefined) return [];
  const complaints: string[] = [];
  if (theirs.checksum !== ours.checksum) {
    complaints.push(
      `${program.name}: checksum ${ours.checksum} on lockstep, ${theirs.checksum} on ${emulator}`,
    );
  }
  const expected = emulator === 'lockstep' ? ours.retired : ours.retired + ours.calls;
  if (emulator !== 'qemu' && theirs.retired !== expected) {
    const plus = ours.calls > 0n ? ` with ${ours.calls} calls` : '';
    complaints.push(
      `${program.name}: ${expected} instructions${plus} on lockstep, ` +
        `${theirs.retired} on ${emulator}`,
    );
  }
  return complaints;
}
