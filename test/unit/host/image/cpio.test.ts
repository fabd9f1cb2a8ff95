/**
 * Goal: archives are in the newc format and the same each time.
 * Method: read the headers back by hand; `cpio` reads them too where it is installed.
 */

import { execFileSync } from 'node:child_process';
import test from 'ava';
import { writeCpio, type CpioEntry } from '../../../../lib/host/image/cpio.js';
import { findProgram } from '../../../../lib/host/image/program.js';

const ENTRIES: readonly CpioEntry[] = [
  { kind: 'directory', path: 'dev' },
  { kind: 'character-device', path: 'dev/console', mode: 0o600, major: 5, minor: 1 },
  { kind: 'file', path: 'init', mode: 0o755, bytes: Buffer.from('hello') },
  { kind: 'symlink', path: 'sh', target: 'init' },
];

interface Header {
  readonly name: string;
  readonly mode: number;
  readonly content: string;
  readonly device: string;
}

function readBack(archive: Buffer): Header[] {
  const headers: Header[] = [];
  let at = 0;
  for (;;) {
    const field = (index: number): number =>
      Number.parseInt(archive.toString('latin1', at + 6 + 8 * index, at + 14 + 8 * index), 16);
    if (archive.toString('latin1', at, at + 6) !== '070701') throw new Error(`no header at ${at}`);
    const nameEnd = at + 110 + field(11);
    const name = archive.toString('utf8', at + 110, nameEnd - 1);
    if (name === 'TRAILER!!!') return headers;
    const start = (nameEnd + 3) & ~3;
    const content = archive.toString('utf8', start, start + field(6));
    headers.push({ name, mode: field(1), content, device: `${field(9)}:${field(10)}` });
    at = (start + field(6) + 3) & ~3;
  }
}

test('every entry comes back with its type, mode and content', (t) => {
  const archive = Buffer.from(writeCpio(ENTRIES));
  t.is(archive.length % 512, 0);
  t.deepEqual(readBack(archive), [
    { name: 'dev', mode: 0o040755, content: '', device: '0:0' },
    { name: 'dev/console', mode: 0o020600, content: '', device: '5:1' },
    { name: 'init', mode: 0o100755, content: 'hello', device: '0:0' },
    { name: 'sh', mode: 0o120777, content: 'init', device: '0:0' },
  ]);
});

test('equal entries give equal bytes', (t) => {
  t.deepEqual(writeCpio(ENTRIES), writeCpio(ENTRIES));
});

test('cpio lists the archive (skipped where it is not installed)', async (t) => {
  const cpio = await findProgram('cpio');
  if (cpio === null) {
    t.log('skipped: cpio is not installed');
    t.pass();
    return;
  }
  const listing = execFileSync(cpio, ['-t', '--quiet'], { input: writeCpio(ENTRIES) });
  t.is(listing.toString(), 'dev\ndev/console\ninit\nsh\n');
});
