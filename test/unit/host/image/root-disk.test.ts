/**
 * Goal: a root disk is a sound file system with exactly what it was given, the same bytes each
 * time, or a clear refusal.
 * Method: a small tree, looked at with e2fsprogs' own tools; skipped where they are not installed.
 */

import { execFileSync } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import type { PackageEntry } from '../../../../lib/host/image/package-archive.js';
import { findProgram } from '../../../../lib/host/image/program.js';
import { buildRootDisk, type RootDiskParts } from '../../../../lib/host/image/root-disk.js';

const file = (content: string, mode = 0o644): PackageEntry => ({
  kind: 'file',
  mode,
  bytes: Buffer.from(content),
});

const PARTS: RootDiskParts = {
  sizeBytes: 16 << 20,
  busybox: Buffer.from('busybox itself'),
  files: new Map<string, PackageEntry>([
    ['usr/bin/tool', file('program', 0o4755)],
    ['lib/old.so', file('a library', 0o644)],
    ['etc/with space/file', file('')],
    ['var/lib/tool', { kind: 'directory', mode: 0o750 }],
    ['usr/lib/new.so', { kind: 'symlink', target: 'new.so.1' }],
  ]),
  script: Buffer.from('echo from the script\n'),
};

async function begin(t: ExecutionContext): Promise<{ path: string; debugfs: string } | null> {
  const debugfs = await findProgram('debugfs');
  if (debugfs === null) {
    t.log('skipped: e2fsprogs is not installed');
    t.pass();
    return null;
  }
  const folder = await mkdtemp(join(tmpdir(), 'lockstep-root-disk-'));
  t.teardown(() => rm(folder, { recursive: true }));
  return { path: join(folder, 'root.img'), debugfs };
}

test('the disk has what it was given, by root, with its modes', async (t) => {
  const begun = await begin(t);
  if (begun === null) return;
  const { path, debugfs } = begun;
  await buildRootDisk(path, PARTS);
  const ask = (command: string): string =>
    execFileSync(debugfs, ['-R', command, path], { encoding: 'utf8', stdio: 'pipe' });
  t.is(ask('cat /usr/bin/tool'), 'program');
  t.is(ask('cat /lib/old.so'), 'a library', 'what packages put into /lib is in /usr/lib');
  t.is(ask('cat /script'), 'echo from the script\n');
  t.regex(ask('stat /usr/bin/tool'), /Type: regular +Mode: +04755[^]*User: +0 +Group: +0/);
  t.regex(ask('stat /var/lib/tool'), /Type: directory +Mode: +0750/);
  t.regex(ask('stat /tmp'), /Mode: +01777/);
  t.regex(ask('stat /usr/lib/new.so'), /Fast link dest: "new\.so\.1"/);
  t.regex(ask('stat "/etc/with space/file"'), /Size: 0/);
  t.regex(ask('cat /sbin/init'), /^#!\/bin\/busybox sh/);
});

test('equal inputs give equal bytes', async (t) => {
  const begun = await begin(t);
  if (begun === null) return;
  await buildRootDisk(begun.path, PARTS);
  const first = await readFile(begun.path);
  await buildRootDisk(begun.path, PARTS);
  t.true((await readFile(begun.path)).equals(first));
});

test('what can’t be made is refused (size, content that does not fit, a name)', async (t) => {
  const begun = await begin(t);
  if (begun === null) return;
  const build = (change: Partial<RootDiskParts>): Promise<void> =>
    buildRootDisk(begun.path, { ...PARTS, ...change });
  await t.throwsAsync(build({ sizeBytes: 1 << 20 }), { code: 'USAGE' });
  await t.throwsAsync(build({ sizeBytes: (16 << 20) + 1 }), { code: 'USAGE' });
  await t.throwsAsync(build({ busybox: new Uint8Array(20 << 20).fill(1) }), { code: 'BAD_IMAGE' });
  const files = new Map([['usr/a"b', file('')]]);
  await t.throwsAsync(build({ files }), { code: 'BAD_IMAGE', message: /a\\"b/ });
});
