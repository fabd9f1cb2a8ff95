/**
 * One run of a command: its output, its wall time from start to end, and its peak memory.
 *
 * The peak is the kernel's own mark (VmHWM), read again and again while the process lives, so that
 * growth in its last moments may be missed; 0 where there is no /proc.
 */

import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { performance } from 'node:perf_hooks';
import type { CommandLine } from './emulators.js';

const MEMORY_PERIOD_MS = 25;
/** A run that takes longer hangs; the longest expected one takes half a minute. */
const LIMIT_MS = 180_000;

export interface MeasuredRun {
  /** Null after a signal. */
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly seconds: number;
  readonly peakBytes: number;
}

/** `onText` sees output as it comes, with the seconds since the start. */
export function runMeasured(
  command: CommandLine,
  onText?: (text: string, seconds: number) => void,
): Promise<MeasuredRun> {
  return new Promise((resolve, reject) => {
    const begun = performance.now();
    const elapsed = (): number => (performance.now() - begun) / 1000;
    const child = spawn(command.program, [...command.words], { stdio: ['ignore', 'pipe', 'pipe'] });
    let stdout = '';
    let stderr = '';
    let peakBytes = 0;
    const look = async (): Promise<void> => {
      if (child.pid === undefined) return;
      peakBytes = Math.max(peakBytes, await peakOf(child.pid));
    };
    const watch = setInterval(() => void look(), MEMORY_PERIOD_MS);
    const limit = setTimeout(() => child.kill('SIGKILL'), LIMIT_MS);
    const settle = (): void => {
      clearInterval(watch);
      clearTimeout(limit);
    };
    child.stdout.setEncoding('latin1').on('data', (text: string) => {
      stdout += text;
      onText?.(text, elapsed());
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    child.once('error', (error) => {
      settle();
      reject(error);
    });
    child.once('close', (status) => {
      const seconds = elapsed();
      settle();
      resolve({ status, stdout, stderr, seconds, peakBytes });
    });
  });
}

async function peakOf(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/status`, 'latin1').catch(() => '');
  return 1024 * Number(/^VmHWM:\s*(\d+) kB/m.exec(text)?.[1] ?? 0);
}
