/**
 * One recorded boot of Debian with everything in its log that a log can have: console input,
 * random bytes, re-bases, wakes, interrupts, output. Tests of replay share it.
 *
 * It is made by the real command, driven over its pipes, and kept in the host's folder for
 * temporary files under a name that is a hash of program and images: another build records anew.
 * A copy is about 1 MB.
 */

import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { assert } from '../../lib/base/assert.js';
import type { DebianImage } from '../../lib/host/image/debian-image.js';
import { debianImage, imageFlags } from './debian.js';
import { readLog, type WholeLog } from './edited-log.js';
import { LockstepProcess } from './lockstep-process.js';
import { REPOSITORY } from './qemu.js';

/** What decides how a recording comes out. */
const PROGRAM = ['dist/lib', 'dist/tools', 'dist/test/support/debian-recording.js'];
export const PROMPT = 'lockstep: shell begins';

export interface DebianRecording {
  /** The log directory. */
  readonly directory: string;
  readonly log: WholeLog;
  /** What the guest wrote on its console, and `state-hash STEP HASH` of its end. */
  readonly output: string;
  readonly stateLine: string;
}

/** The recording, made now if need be; null after saying why there are no images. */
export async function debianRecording(t: ExecutionContext): Promise<DebianRecording | null> {
  const image = await debianImage(t);
  return image === null ? null : openRecording(image);
}

export async function openRecording(image: DebianImage): Promise<DebianRecording> {
  const folder = join(tmpdir(), `lockstep-debian-${recordingKey(image)}`);
  if (!existsSync(folder)) await record(image, folder);
  const output = readFileSync(join(folder, 'console.txt'), 'utf8');
  const stateLine = /^state-hash .*$/m.exec(output)?.[0] ?? '';
  const directory = join(folder, 'log');
  return { directory, log: readLog(directory), output, stateLine };
}

export function bootFlags(image: DebianImage): string[] {
  return [...imageFlags(image), '--append', 'console=ttyS0'];
}

/** Another program or other images have another key. */
function recordingKey(image: DebianImage): string {
  const hash = createHash('sha256');
  const program = PROGRAM.map((path) => join(REPOSITORY, path)).flatMap((path) =>
    path.endsWith('.js')
      ? [path]
      : readdirSync(path, { recursive: true, encoding: 'utf8' })
          .filter((name) => name.endsWith('.js'))
          .sort()
          .map((name) => join(path, name)),
  );
  for (const path of [image.bios, image.kernel, image.initrd, ...program]) {
    hash.update(createHash('sha256').update(readFileSync(path)).digest());
  }
  return hash.digest('hex').slice(0, 16);
}

/** Records into a folder of its own, and gives it its name when all is there. */
async function record(image: DebianImage, folder: string): Promise<void> {
  const draft = mkdtempSync(join(tmpdir(), 'lockstep-debian-draft-'));
  try {
    const command = new LockstepProcess([
      ...['record', '--log', join(draft, 'log'), '--state-hash'],
      ...bootFlags(image),
    ]);
    await command.says(PROMPT);
    command.send('head -c 24 /dev/hwrng | md5sum; sleep 1; echo answer $((6 * 7))\n');
    await command.says('\nanswer 42');
    command.send('exit\n');
    const { status, stdout, stderr } = await command.end();
    assert(status === 0, `lockstep record ends with status ${status}:\n${stdout}${stderr}`);
    await writeFile(join(draft, 'console.txt'), stdout);
    // Another process may have been first; its recording is as good.
    if (!existsSync(folder)) renameSync(draft, folder);
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
}
