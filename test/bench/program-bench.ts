/**
 * Runs one bare-metal program on each emulator in turn, as often as asked, and holds their answers
 * against each other: equal checksums everywhere, equal counts of retired instructions wherever
 * instructions are counted.
 */

import { present } from '../../lib/base/assert.js';
import { type Emulator, type Emulators } from './emulators.js';
import { median } from './figures.js';
import { runMeasured, type MeasuredRun } from './measured-process.js';
import { parseAnswer, programFile, type Program, type ProgramAnswer } from './programs.js';

const MEMORY_MEGABYTES = 128;

export interface EmulatorFigure {
  readonly emulator: Emulator;
  /** Of each run, in order. */
  readonly seconds: readonly number[];
  readonly medianSeconds: number;
  readonly peakBytes: number;
}

export interface ProgramFigure {
  readonly program: Program;
  readonly emulators: readonly EmulatorFigure[];
  /** What Lockstep answered. */
  readonly answer: ProgramAnswer;
  /** What is wrong; empty if the answers agree. */
  readonly complaints: readonly string[];
}

export async function benchProgram(
  program: Program,
  emulators: Emulators,
  options: {
    readonly chosen: readonly Emulator[];
    readonly runs: number;
    readonly folder: string;
  },
): Promise<ProgramFigure> {
  const guest = {
    bios: 'none',
    kernel: programFile(program),
    memoryMegabytes: MEMORY_MEGABYTES,
  };
  const runs = new Map<Emulator, MeasuredRun[]>(options.chosen.map((name) => [name, []]));
  for (let round = 0; round < options.runs; round++) {
    for (const [emulator, list] of runs) {
      list.push(await runMeasured(emulators.commandFor(emulator, guest, options.folder)));
    }
  }
  return judge(program, runs);
}

function judge(
  program: Program,
  runs: ReadonlyMap<Emulator, readonly MeasuredRun[]>,
): ProgramFigure {
  const complaints: string[] = [];
  const answers = new Map<Emulator, ProgramAnswer>();
  for (const [emulator, list] of runs) {
    for (const run of list) {
      const answer = run.status === 0 ? parseAnswer(program, run.stdout) : null;
      if (answer === null) {
        const said = `${run.stdout}${run.stderr}`.trim().slice(-200);
        complaints.push(`${program.name} on ${emulator}: status ${run.status}: ${said}`);
        continue;
      }
      const before = answers.get(emulator) ?? answer;
      answers.set(emulator, before);
      if (before.checksum !== answer.checksum || countDiffers(emulator, before, answer)) {
        complaints.push(`${program.name} on ${emulator}: two runs differ`);
      }
    }
  }
  const ours = answers.get('lockstep') ?? { checksum: '', retired: 0n, calls: 0n };
  for (const [emulator, answer] of answers) {
    complaints.push(...compare(program, ours, emulator, answer));
  }
  const emulators = [...runs].map(([emulator, list]) => ({
    emulator,
    seconds: list.map((run) => run.seconds),
    medianSeconds: median(list.map((run) => run.seconds)),
    peakBytes: Math.max(...list.map((run) => run.peakBytes)),
  }));
  return { program, emulators, answer: ours, complaints };
}

/** Plain QEMU answers `instret` with a clock of the host. */
function countDiffers(emulator: Emulator, one: ProgramAnswer, other: ProgramAnswer): boolean {
  return emulator !== 'qemu' && one.retired !== other.retired;
}

function compare(
  program: Program,
  ours: ProgramAnswer,
  emulator: Emulator,
  theirs: ProgramAnswer,
): string[] {
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

/** Median seconds on `emulator`, or null if it was not run. */
export function secondsOn(
  { emulators }: { readonly emulators: readonly EmulatorFigure[] },
  emulator: Emulator,
): number | null {
  return emulators.find((figure) => figure.emulator === emulator)?.medianSeconds ?? null;
}

/** How many times as fast Lockstep is. */
export function speedAgainst(
  figure: { readonly emulators: readonly EmulatorFigure[] },
  emulator: Emulator,
): number | null {
  const theirs = secondsOn(figure, emulator);
  return theirs === null ? null : theirs / present(secondsOn(figure, 'lockstep'), 'our time');
}
