/**
 * The bare-metal programs of `guest/bench`, as `npm run bench` runs them, and what they print.
 */

import { join } from 'node:path';
import { REPOSITORY } from '../support/qemu.js';
import type { Group } from './figure.js';

/**
 * `compute`: user code, where an engine shows what its code is worth. `kernel`: traps, page faults
 * and changes of address space, where it shows what leaving its code costs.
 */
export type ProgramGroup = Extract<Group, 'compute' | 'kernel'>;

export interface Program {
  readonly name: string;
  readonly group: ProgramGroup;
  readonly what: string;
}

export const PROGRAMS: readonly Program[] = [
  { name: 'sort', group: 'compute', what: 'quicksort and heap sort of integers' },
  { name: 'checksum', group: 'compute', what: 'CRC-32 by table and SHA-256' },
  { name: 'hash', group: 'compute', what: 'a hash table with open addressing' },
  { name: 'matrix', group: 'compute', what: 'integer matrices, a sieve, dynamic programming' },
  { name: 'chase', group: 'compute', what: 'dependent loads: a list and a tree' },
  { name: 'stream', group: 'compute', what: 'long runs over memory' },
  { name: 'calls', group: 'compute', what: 'recursion and calls through pointers' },
  { name: 'dispatch', group: 'compute', what: 'an interpreter of bytecode' },
  { name: 'nbody', group: 'compute', what: 'floating point with square root and division' },
  { name: 'mandelbrot', group: 'compute', what: 'floating point, short loops' },
  { name: 'linear', group: 'compute', what: 'fused multiply-add in f64 and f32' },
  { name: 'modify', group: 'compute', what: 'code that is generated and patched' },
  { name: 'syscall', group: 'kernel', what: 'system calls from U mode' },
  { name: 'paging', group: 'kernel', what: 'page faults, mapping and unmapping' },
  { name: 'switch', group: 'kernel', what: 'switches between address spaces' },
];

export function programFile(program: Program): string {
  return join(REPOSITORY, 'guest/bench', `${program.name}.elf`);
}

/** What a program says of itself; guest/bench/bench.h. */
export interface ProgramAnswer {
  readonly checksum: string;
  readonly retired: bigint;
  /** Environment calls: QEMU counts them as retired, the specification doesn't. */
  readonly calls: bigint;
}

/** Null where the text is not the answer of `program`. */
export function parseAnswer(program: Program, text: string): ProgramAnswer | null {
  const found = /^(\w+) ([0-9a-f]{16}) (\d+) (\d+)\s*$/.exec(text);
  if (found === null || found[1] !== program.name) return null;
  const [, , checksum = '', retired = '', calls = ''] = found;
  return { checksum, retired: BigInt(retired), calls: BigInt(calls) };
}
