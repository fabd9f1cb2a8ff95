/**
 * The flags that `run` and `record` share beside those of the machine, and the answers that they
 * give at the end.
 */

import { writeFile } from 'node:fs/promises';
import { LockstepError } from '../lib/base/error.js';
import { INPUT_STREAMS, type InputStream } from '../lib/event/event.js';
import type { ClockMode, InspectionReport } from '../lib/host/hart-messages.js';
import { statusOfStop } from '../lib/node/stop-status.js';
import type { Arguments, OptionTable } from './command.js';
import type { GuestEnd, GuestRunResult } from './guest-run.js';

export const RUN_OPTIONS: OptionTable = {
  console: {
    type: 'string',
    value: 'uart|virtio-console',
    help: 'the console that the terminal shows (uart)',
  },
  clock: {
    type: 'string',
    value: 'host|steps',
    help: 'virtual time follows the host, or the steps alone (see above)',
  },
  until: { type: 'string', value: 'STEP', help: 'stop when this many steps are counted' },
  'state-hash': { type: 'boolean', help: 'print the step and a hash over all state at the end' },
  stats: { type: 'string', value: 'FILE', help: 'write steps, time and speed there as JSON' },
};

/** True for a run that is meant to be repeated: nothing of the host may get into it unasked. */
export function isReproducible(args: Arguments): boolean {
  return args.text('until') !== undefined || args.flag('state-hash');
}

export function readClock(args: Arguments, fallback: ClockMode): ClockMode {
  const text = args.text('clock');
  if (text === undefined) return fallback;
  if (text === 'host' || text === 'steps') return text;
  throw new LockstepError('USAGE', `--clock: "${text}" is neither host nor steps`);
}

export function readConsole(args: Arguments): InputStream {
  const text = args.text('console') ?? 'uart';
  const stream = INPUT_STREAMS.find((candidate) => candidate === text);
  if (stream !== undefined) return stream;
  throw new LockstepError('USAGE', `--console: "${text}" is none of ${INPUT_STREAMS.join(', ')}`);
}

/** `state-hash STEP HASH`, the same line after a run, a recording and a replay. */
export function stateHashLine(state: InspectionReport, hash: bigint): string {
  return `state-hash ${state.steps.join(',')} ${hash.toString(16).padStart(16, '0')}\n`;
}

/** Prints and writes what the flags ask for, and gives the exit status. Errors: IO. */
export async function reportRun(args: Arguments, result: GuestRunResult): Promise<number> {
  const { state, stateHash } = result;
  if (stateHash !== null) process.stdout.write(stateHashLine(state, stateHash));
  const stats = args.text('stats');
  if (stats !== undefined) await writeWhole(stats, statsText(result));
  return statusOfEnd(result.end);
}

/** Errors: IO. */
export async function writeWhole(path: string, content: string | Uint8Array): Promise<void> {
  try {
    await writeFile(path, content);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new LockstepError('IO', `${path} can't be written: ${reason}`, { path });
  }
}

function statsText({ end, state, wallSeconds }: GuestRunResult): string {
  const steps = state.steps.reduce((sum, count) => sum + count, 0n);
  const retired = state.retired.reduce((sum, count) => sum + count, 0n);
  const stats = {
    steps: Number(steps),
    retired: Number(retired),
    wallSeconds,
    millionStepsPerSecond: wallSeconds > 0 ? Number(steps) / wallSeconds / 1e6 : 0,
    virtualSeconds: Number(state.time) / 1e7,
    end: end.kind === 'stopped' ? end.stop.cause : end.kind,
    exitStatus: statusOfEnd(end),
  };
  return `${JSON.stringify(stats, null, 2)}\n`;
}

function statusOfEnd(end: GuestEnd): number {
  if (end.kind === 'stopped') return statusOfStop(end.stop);
  return end.kind === 'reached' ? 0 : end.status;
}
