/**
 * Goal: an overlay file holds exactly what was written, opens again as it was, and is refused where
 * it does not belong; the base image is never written.
 * Method: real files in a folder of their own.
 */

import test from 'ava';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  hashOverlay,
  openDisk,
  readOverlaid,
  type DiskFiles,
} from '../../../lib/host/overlay-file.js';
import { numbered } from '../../support/memory-disk.js';

const SECTORS = 8 * 5000 + 3;
const SHA256 = 'ab'.repeat(32);

function folder(): { path: string; files: (change?: Partial<DiskFiles>) => DiskFiles } {
  const path = mkdtempSync(join(tmpdir(), 'lockstep-overlay-'));
  const base = join(path, 'base.img');
  writeFileSync(base, numbered(SECTORS));
  const plain = { base, sizeBytes: SECTORS * 512, sha256: SHA256, isDurable: true };
  const overlay = join(path, 'overlay');
  return { path, files: (change = {}) => ({ ...plain, overlay, goesOn: true, ...change }) };
}

test('an overlay opens again as it was, and exports the whole disk', (t) => {
  const { path, files } = folder();
  const expected = numbered(SECTORS);
  const disk = openDisk(files());
  disk.write(100, new Uint8Array(512 * 11).fill(7));
  disk.zero(8 * 4000, 800);
  disk.write(SECTORS - 1, new Uint8Array(512).fill(3));
  disk.flush();
  expected.fill(7, 100 * 512, 111 * 512);
  expected.fill(0, 8 * 4000 * 512, (8 * 4000 + 800) * 512);
  expected.fill(3, (SECTORS - 1) * 512);
  const again = new Uint8Array(SECTORS * 512);
  openDisk(files()).read(0, again);
  t.true(Buffer.from(again).equals(expected));
  t.true(Buffer.concat([...readOverlaid(join(path, 'overlay'), null)]).equals(expected));
  t.true(readFileSync(join(path, 'base.img')).equals(numbered(SECTORS)));
  t.true(statSync(join(path, 'overlay')).blocks * 512 < 400_000, 'the file has holes');
  rmSync(path, { recursive: true });
});

test('an overlay without a name leaves no file', (t) => {
  const { path, files } = folder();
  const disk = openDisk(files({ overlay: null }));
  disk.write(0, new Uint8Array(512).fill(1));
  const back = new Uint8Array(512);
  disk.read(0, back);
  t.is(back[0], 1);
  t.deepEqual(readdirSync(path), ['base.img']);
  rmSync(path, { recursive: true });
});

test('what does not belong together is refused (base, size, damage, a file in the way)', (t) => {
  const { path, files } = folder();
  const overlay = join(path, 'overlay');
  openDisk(files()).write(0, new Uint8Array(512));
  const cases: readonly (readonly [Partial<DiskFiles>, string])[] = [
    [{ sha256: 'cd'.repeat(32) }, 'BAD_IMAGE'],
    [{ sizeBytes: 512 }, 'BAD_IMAGE'],
    [{ goesOn: false }, 'IO'],
    [{ base: join(path, 'missing') }, 'IO'],
    [{ overlay: join(path, 'base.img') }, 'BAD_IMAGE'],
  ];
  for (const [change, code] of cases) t.throws(() => openDisk(files(change)), { code });
  const bytes = readFileSync(overlay);
  bytes[4096 + 17] = 9;
  writeFileSync(overlay, bytes);
  t.throws(() => openDisk(files()), { code: 'BAD_IMAGE', message: /map/ });
  rmSync(path, { recursive: true });
});

test('the name of base and overlay is that of the base until something is written', (t) => {
  const { path, files } = folder();
  const overlay = join(path, 'overlay');
  const disk = openDisk(files());
  t.is(hashOverlay(overlay, SHA256), SHA256);
  disk.write(9, new Uint8Array(512).fill(1));
  const first = hashOverlay(overlay, SHA256);
  t.not(first, SHA256);
  t.is(hashOverlay(overlay, SHA256), first);
  disk.write(9, new Uint8Array(512).fill(2));
  t.not(hashOverlay(overlay, SHA256), first);
  rmSync(path, { recursive: true });
});

test('a disk that can’t be written is IO', (t) => {
  const { path, files } = folder();
  t.throws(() => openDisk(files({ overlay: join(path, 'none', 'overlay') })), { code: 'IO' });
  rmSync(path, { recursive: true });
});
