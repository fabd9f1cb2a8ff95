/**
 * What is compared: Lockstep, and QEMU as it is run plainly, deterministically, and recording.
 */

import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { LOCKSTEP } from '../support/lockstep-process.js';
import { findQemu } from '../support/qemu.js';

const run = promisify(execFile);

export const EMULATORS = ['lockstep', 'qemu', 'icount', 'record'] as const;
export type Emulator = (typeof EMULATORS)[number];

/** QEMU's words for each way to run it. `folder` holds what a recording writes. */
function countingWords(emulator: Exclude<Emulator, 'lockstep'>, folder: string): string[] {
  switch (emulator) {
    case 'qemu':
      return [];
    case 'icount':
      return ['-icount', 'shift=0,sleep=off'];
    case 'record':
      return ['-icount', `shift=0,rr=record,rrfile=${join(folder, 'qemu-record')}`];
  }
}

/** What is started, the same machine whatever runs it. */
export interface Guest {
  /** A file, or `none` for a kernel that is entered in M mode. */
  readonly bios: string;
  readonly kernel: string;
  readonly initrd?: string;
  readonly append?: string;
  readonly memoryMegabytes: number;
}

export interface CommandLine {
  readonly program: string;
  readonly words: readonly string[];
}

export interface Emulators {
  readonly available: readonly Emulator[];
  /** First line of QEMU's `--version`; null where it is not installed. */
  readonly qemuVersion: string | null;
  commandFor(emulator: Emulator, guest: Guest, folder: string): CommandLine;
}

export async function findEmulators(): Promise<Emulators> {
  const qemu = await findQemu();
  const version = qemu === null ? null : await run(qemu, ['--version']);
  return {
    available: qemu === null ? ['lockstep'] : EMULATORS,
    qemuVersion: version?.stdout.split('\n')[0] ?? null,
    commandFor: (emulator, guest, folder) =>
      emulator === 'lockstep' || qemu === null
        ? lockstepCommand(guest, ['run'])
        : qemuCommand(qemu, guest, countingWords(emulator, folder)),
  };
}

/** `lockstep run`, or another command that takes a machine, with flags of its own or of Node. */
export function lockstepCommand(
  guest: Guest,
  words: readonly string[],
  nodeFlags: readonly string[] = [],
): CommandLine {
  const machine = [...imageWords('--', guest), '--memory', `${guest.memoryMegabytes}M`];
  return { program: process.execPath, words: [...nodeFlags, LOCKSTEP, ...words, ...machine] };
}

function qemuCommand(program: string, guest: Guest, counting: readonly string[]): CommandLine {
  const console = ['-display', 'none', '-monitor', 'none', '-serial', 'stdio', '-no-reboot'];
  // The timer that Lockstep has: without it QEMU's guest goes to the firmware for each tick.
  const machine = ['-M', 'virt', '-cpu', 'rv64,sstc=true', '-m', `${guest.memoryMegabytes}M`];
  return { program, words: [...machine, ...console, ...counting, ...imageWords('-', guest)] };
}

function imageWords(dash: '-' | '--', guest: Guest): string[] {
  const words = [`${dash}bios`, guest.bios, `${dash}kernel`, guest.kernel];
  if (guest.initrd !== undefined) words.push(`${dash}initrd`, guest.initrd);
  if (guest.append !== undefined) words.push(`${dash}append`, guest.append);
  return words;
}
