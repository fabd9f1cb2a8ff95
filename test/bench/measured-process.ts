/**
 * One run of a command: its output, its wall time from start to end, and its peak memory.
 *
 * Output goes to a file, which is read as it grows: QEMU's recording stops for ever when it
 * writes to a socket pair, which is what Node gives a child for a pipe. The peak is the kernel's
 * own mark (VmHWM), read again and again while the process lives, so that growth in its last
 * moments may be missed; 0 where there is no /proc.
 */

import { spawn } from 'node:child_process';
import { mkdtemp, open, readFile, rm, type FileHandle } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import type { CommandLine } from './emulators.js';

/** How exactly the time of a mark in the output, and the peak, are known. */
const LOOK_PERIOD_MS = 10;
/** A run that takes longer hangs; the longest expected one takes half a minute. */
const LIMIT_MS = 150_000;

export interface MeasuredRun {
  /** Null after a signal. */
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly seconds: number;
  readonly peakBytes: number;
}

/** `onText` sees output as it comes, with the seconds since the start. */
export async function runMeasured(
  command: CommandLine,
  onText?: (text: string, seconds: number) => void,
): Promise<MeasuredRun> {
  const folder = await mkdtemp(join(tmpdir(), 'lockstep-output-'));
  const file = await open(join(folder, 'stdout'), 'w+');
  try {
    return await run(command, new GrowingFile(file), onText ?? (() => undefined));
  } finally {
    await file.close();
    await rm(folder, { recursive: true });
  }
}

function run(
  command: CommandLine,
  output: GrowingFile,
  onText: (text: string, seconds: number) => void,
): Promise<MeasuredRun> {
  return new Promise((resolve, reject) => {
    const begun = performance.now();
    const elapsed = (): number => (performance.now() - begun) / 1000;
    const stdio = ['ignore', output.descriptor, 'pipe'] as const;
    const child = spawn(command.program, [...command.words], { stdio: [...stdio] });
    let stdout = '';
    let stderr = '';
    let peakBytes = 0;
    const look = async (): Promise<void> => {
      const text = await output.readNew();
      stdout += text;
      if (text !== '') onText(text, elapsed());
      if (child.pid !== undefined) peakBytes = Math.max(peakBytes, await peakOf(child.pid));
    };
    let looking: Promise<void> = Promise.resolve();
    const watch = setInterval(() => {
      looking = looking.then(look);
    }, LOOK_PERIOD_MS);
    const limit = setTimeout(() => child.kill('SIGKILL'), LIMIT_MS);
    const settle = (): void => {
      clearInterval(watch);
      clearTimeout(limit);
    };
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    child.once('error', (error) => {
      settle();
      reject(error);
    });
    child.once('close', (status) => {
      const seconds = elapsed();
      settle();
      looking
        .then(look)
        .then(() => resolve({ status, stdout, stderr, seconds, peakBytes }), reject);
    });
  });
}

/** A file that another process writes. */
class GrowingFile {
  private readonly file: FileHandle;
  private position = 0;

  constructor(file: FileHandle) {
    this.file = file;
  }

  get descriptor(): number {
    return this.file.fd;
  }

  /** What was written since the last call. */
  async readNew(): Promise<string> {
    let text = '';
    for (;;) {
      const { buffer, bytesRead } = await this.file.read(
        Buffer.alloc(8192),
        0,
        8192,
        this.position,
      );
      if (bytesRead === 0) return text;
      this.position += bytesRead;
      text += buffer.toString('latin1', 0, bytesRead);
    }
  }
}

async function peakOf(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/status`, 'latin1').catch(() => '');
  return 1024 * Number(/^VmHWM:\s*(\d+) kB/m.exec(text)?.[1] ?? 0);
}
