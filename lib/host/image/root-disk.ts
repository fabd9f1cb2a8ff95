/**
 * The guest's root disk: an ext4 image with Debian packages, busybox, and an init that runs a
 * script or a shell and then switches the machine off.
 *
 * It is made without root and without mounting: mke2fs makes the empty file system, debugfs puts
 * the files in, in the order of their names, with fixed times and identities. So equal inputs give
 * equal bytes, with equal versions of e2fsprogs. Every file belongs to root.
 */

import { spawn } from 'node:child_process';
import { mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LockstepError } from '../../base/error.js';
import type { PackageEntry } from './package-archive.js';
import { requireProgram } from './program.js';

/** Raised when INIT or the layout changes, so that images built before are built anew. */
export const ROOT_DISK_VERSION = 1;

/** Packages are unpacked, and the guest writes: less is of no use. */
const MIN_BYTES = 16 * 2 ** 20;
const MAX_BYTES = 64 * 2 ** 30;
/** Names the file system; the same in every image, since nobody mounts two of them. */
const IDENTITY = '6c6f636b-7374-4570-8000-000000000001';
/** 2025-01-01T00:00:00Z, what the clock of a machine shows at power-on by default. */
const TIME_SECONDS = '1735689600';

const INIT = `#!/bin/busybox sh
# First process on the root disk. What it runs, in this order of choice:
#   lockstep.run="COMMANDS" on the kernel's command line,
#   /script, if the image was built with one,
#   a shell on the console.
# Afterwards it switches the machine off.
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t sysfs sysfs /sys
/bin/busybox mount -t tmpfs tmpfs /run
/bin/busybox mount -t tmpfs tmpfs /tmp
/bin/busybox mkdir /run/busybox
/bin/busybox --install -s /run/busybox
export PATH=/usr/local/bin:/usr/bin:/usr/sbin:/run/busybox HOME=/root PS1='# '
cd /root

commands=$(sed -n 's/.*lockstep\\.run="\\([^"]*\\)".*/\\1/p' /proc/cmdline)
if [ -n "$commands" ]; then
  echo 'lockstep: commands begin'
  sh -c "$commands"
  echo "lockstep: commands ended with status $?"
elif [ -f /script ]; then
  echo 'lockstep: script begins'
  sh /script
  echo "lockstep: script ended with status $?"
else
  echo 'lockstep: shell begins; leaving it switches the machine off'
  setsid cttyhack sh
fi
cd /
sync
mount -o remount,ro /
poweroff -f
`;

const DIRECTORIES: readonly (readonly [path: string, mode: number])[] = [
  ['dev', 0o755],
  ['etc', 0o755],
  ['mnt', 0o755],
  ['proc', 0o755],
  ['root', 0o700],
  ['run', 0o755],
  ['sys', 0o755],
  ['tmp', 0o1777],
  ['usr', 0o755],
  ['usr/bin', 0o755],
  ['usr/lib', 0o755],
  ['usr/sbin', 0o755],
  ['var', 0o755],
  ['var/tmp', 0o1777],
];

/** Debian keeps everything below /usr; these names lead there. */
const MERGED = ['bin', 'lib', 'sbin'] as const;

export interface RootDiskParts {
  readonly sizeBytes: number;
  readonly busybox: Uint8Array;
  /** Files of packages, by path. */
  readonly files: ReadonlyMap<string, PackageEntry>;
  /** Run by init instead of a shell; null for none. */
  readonly script: Uint8Array | null;
}

/** Writes the image to `path`, which it replaces. Errors: USAGE, MISSING_TOOL, BAD_IMAGE. */
export async function buildRootDisk(path: string, parts: RootDiskParts): Promise<void> {
  const { sizeBytes } = parts;
  if (sizeBytes < MIN_BYTES || sizeBytes > MAX_BYTES || sizeBytes % 4096 !== 0) {
    throw new LockstepError(
      'USAGE',
      `a root disk of ${sizeBytes} bytes: give whole pages between 16M and 64G`,
    );
  }
  const purpose = 'make a root disk';
  const mke2fs = await requireProgram('mke2fs', purpose);
  const debugfs = await requireProgram('debugfs', purpose);
  const e2fsck = await requireProgram('e2fsck', purpose);
  const file = await open(path, 'w', 0o644);
  await file.truncate(sizeBytes);
  await file.close();
  const extended = `hash_seed=${IDENTITY},lazy_itable_init=0,assume_storage_prezeroed=1,nodiscard`;
  await run(mke2fs, ['-q', '-F', '-t', 'ext4', '-b', '4096', '-U', IDENTITY, '-E', extended, path]);
  const folder = await mkdtemp(join(tmpdir(), 'lockstep-root-'));
  try {
    const script = join(folder, 'commands');
    await writeFile(script, await commandsFor(folder, treeOf(parts)));
    const complaints = await run(debugfs, ['-w', '-f', script, path]);
    // debugfs goes on after a command that failed, and ends with status 0; it begins with its name.
    const failed = complaints.split('\n').find((line) => line !== '' && !/^debugfs \d/.test(line));
    if (failed !== undefined) throw tooSmall(sizeBytes, failed);
  } finally {
    await rm(folder, { recursive: true });
  }
  await run(e2fsck, ['-fn', path]);
}

function tooSmall(sizeBytes: number, complaint: string): LockstepError {
  return new LockstepError(
    'BAD_IMAGE',
    `the root disk of ${sizeBytes} bytes can't be filled: ${complaint}`,
  );
}

/** Everything on the disk by path, parents before what lies in them. */
function treeOf({ busybox, files, script }: RootDiskParts): ReadonlyMap<string, PackageEntry> {
  const tree = new Map<string, PackageEntry>();
  for (const [path, mode] of DIRECTORIES) tree.set(path, { kind: 'directory', mode });
  for (const name of MERGED) tree.set(name, { kind: 'symlink', target: `usr/${name}` });
  tree.set('etc/passwd', text('root::0:0:root:/root:/bin/sh\n'));
  tree.set('etc/group', text('root:x:0:\n'));
  tree.set('etc/hosts', text('127.0.0.1 localhost\n'));
  for (const [path, entry] of files) {
    const merged = MERGED.some((name) => path.startsWith(`${name}/`)) ? `usr/${path}` : path;
    if (tree.get(merged)?.kind !== 'directory') tree.set(merged, entry);
  }
  tree.set('usr/bin/busybox', { kind: 'file', mode: 0o755, bytes: busybox });
  if (!tree.has('usr/bin/sh')) tree.set('usr/bin/sh', { kind: 'symlink', target: 'busybox' });
  tree.set('usr/sbin/init', text(INIT, 0o755));
  if (script !== null) tree.set('script', { kind: 'file', mode: 0o755, bytes: script });
  for (const path of [...tree.keys()]) {
    for (let end = path.indexOf('/'); end > 0; end = path.indexOf('/', end + 1)) {
      const parent = path.slice(0, end);
      if (!tree.has(parent)) tree.set(parent, { kind: 'directory', mode: 0o755 });
    }
  }
  return new Map([...tree].sort(([a], [b]) => (a < b ? -1 : 1)));
}

function text(content: string, mode = 0o644): PackageEntry {
  return { kind: 'file', mode, bytes: Buffer.from(content) };
}

/** What debugfs is told; the contents of files are put into `folder` for it. */
async function commandsFor(
  folder: string,
  tree: ReadonlyMap<string, PackageEntry>,
): Promise<string> {
  const lines: string[] = [];
  for (const [index, [path, entry]] of [...tree].entries()) {
    const name = quoted(path);
    switch (entry.kind) {
      case 'directory':
        lines.push(`mkdir ${name}`, `set_inode_field ${name} mode 0${modeOf(0o40000, entry.mode)}`);
        break;
      case 'symlink':
        lines.push(`symlink ${name} ${quoted(entry.target)}`);
        break;
      case 'file': {
        const content = join(folder, String(index));
        await writeFile(content, entry.bytes);
        lines.push(
          `write ${quoted(content)} ${name}`,
          `set_inode_field ${name} mode 0${modeOf(0o100000, entry.mode)}`,
        );
        break;
      }
    }
  }
  return `${lines.join('\n')}\n`;
}

function modeOf(type: number, mode: number): string {
  return (type | mode).toString(8);
}

function quoted(path: string): string {
  if (!/["\n\\]/.test(path)) return `"${path}"`;
  throw new LockstepError('BAD_IMAGE', `a package has a file named ${JSON.stringify(path)}`);
}

/** What the program writes to its standard error. Errors: BAD_IMAGE if it fails. */
async function run(program: string, words: readonly string[]): Promise<string> {
  const child = spawn(program, words, {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, E2FSPROGS_FAKE_TIME: TIME_SECONDS, SOURCE_DATE_EPOCH: TIME_SECONDS },
  });
  let complaints = '';
  child.stderr.on('data', (words: Buffer) => (complaints += words.toString()));
  const status = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  if (status === 0) return complaints;
  throw new LockstepError('BAD_IMAGE', `${program} failed (${status}): ${complaints.trim()}`);
}
