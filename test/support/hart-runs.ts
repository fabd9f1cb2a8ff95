/**
 * Programs for several harts, run to their end by Lockstep and by QEMU: wall time and processor
 * time of a whole process.
 */

import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { LockstepError } from '../../lib/base/error.js';
import { hartProgram, type HartProgram } from './hart-programs.js';
import { LOCKSTEP } from './lockstep-process.js';

const MEMORY = '16M';
/** Of /proc, on every Linux for this processor. */
const TICKS_PER_SECOND = 100;

export interface HartWork {
  readonly program: HartProgram;
  /** Harts that share the work. */
  readonly workers: number;
  readonly iterations: number;
  /** Where the program is written. */
  readonly folder: string;
}

export interface HartRun {
  readonly wallSeconds: number;
  /** User and system time of the process and its threads. */
  readonly cpuSeconds: number;
}

/** Records the program in `log`. Errors: IO if it does not end well. */
export function recordProgram(work: HartWork, log: string, flags: readonly string[]): HartRun {
  const words = ['record', '--log', log, '--bios', writeProgram(work), '--memory', MEMORY];
  return timed(process.execPath, [LOCKSTEP, ...words, ...flags], null);
}

/** Runs the program on QEMU; null if it has not ended in `limitSeconds`. */
export function runOnQemu(
  qemu: string,
  work: HartWork,
  how: { readonly flags: readonly string[]; readonly limitSeconds: number },
): HartRun | null {
  const machine = ['-machine', 'virt', '-m', MEMORY, '-bios', writeProgram(work)];
  const quiet = ['-display', 'none', '-serial', 'none', '-monitor', 'none'];
  const words = [...machine, '-smp', String(work.workers), ...quiet, ...how.flags];
  try {
    return timed(qemu, words, how.limitSeconds);
  } catch (error) {
    if (error instanceof LockstepError && error.fields['isLate'] === 1) return null;
    throw error;
  }
}

function writeProgram({ program, workers, iterations, folder }: HartWork): string {
  const path = join(folder, 'program.bin');
  writeFileSync(path, hartProgram(program, workers, iterations));
  return path;
}

function timed(command: string, words: readonly string[], limitSeconds: number | null): HartRun {
  const before = childSeconds();
  const startMs = performance.now();
  const limit = limitSeconds === null ? {} : { timeout: limitSeconds * 1000 };
  const { status, signal, stderr } = spawnSync(command, words, { encoding: 'utf8', ...limit });
  const wallSeconds = (performance.now() - startMs) / 1000;
  if (status === 0) return { wallSeconds, cpuSeconds: childSeconds() - before };
  const isLate = limitSeconds !== null && signal !== null ? 1 : 0;
  const end = signal ?? `status ${status}`;
  throw new LockstepError('IO', `${command} ended with ${end}: ${stderr}`, { isLate });
}

/** Processor time of all children of this process that have ended. */
function childSeconds(): number {
  const text = readFileSync('/proc/self/stat', 'utf8');
  // The name of the program, in parentheses, may hold spaces; what follows does not.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[13]) + Number(fields[14])) / TICKS_PER_SECOND;
}
