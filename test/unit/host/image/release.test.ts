/**
 * Goal: nothing is taken from an index that nobody vouches for.
 * Method: a small InRelease signed by a key of the test's own, then bent, then judged by another
 * key; and the fields of indexes.
 */

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { LockstepError } from '../../../../lib/base/error.js';
import { findProgram } from '../../../../lib/host/image/program.js';
import {
  findPackage,
  kernelPackageName,
  openSigned,
  parseRelease,
} from '../../../../lib/host/image/release.js';
import { REPOSITORY } from '../../../support/qemu.js';

const DATA = join(REPOSITORY, 'test/data/debian-archive');
const ARCHIVE_KEYS = join(DATA, 'archive.gpg');
const OTHER_KEYS = join(DATA, 'other.gpg');

test('a good signature is checked, a bad one and a stranger’s refused (skipped without gpgv)', async (t) => {
  if ((await findProgram('gpgv')) === null) {
    t.log('skipped: gpgv is not installed');
    t.pass();
    return;
  }
  const signed = await readFile(join(DATA, 'InRelease'));
  const opened = await openSigned(signed, ARCHIVE_KEYS);
  t.is(opened.unchecked, null);
  t.is(parseRelease(opened.text, 'trixie').version, '13.0');

  const bent = Buffer.from(signed.toString('utf8').replace('13.0', '13.1'));
  const forged = await t.throwsAsync(openSigned(bent, ARCHIVE_KEYS), {
    instanceOf: LockstepError,
  });
  t.is(forged.code, 'INSECURE');
  t.regex(forged.message, /is bad/);
  const stranger = await t.throwsAsync(openSigned(signed, OTHER_KEYS), {
    instanceOf: LockstepError,
  });
  t.is(stranger.code, 'INSECURE');
  t.regex(stranger.message, /is by no key/);
});

test('text outside of the signature is not taken (skipped without gpgv)', async (t) => {
  if ((await findProgram('gpgv')) === null) {
    t.log('skipped: gpgv is not installed');
    t.pass();
    return;
  }
  const signed = await readFile(join(DATA, 'InRelease'), 'utf8');
  const padded = Buffer.from(`Codename: evil\nVersion: 6.6.6\n\n${signed}`);
  const opened = await openSigned(padded, ARCHIVE_KEYS).catch((error: unknown) => error);
  if (opened instanceof LockstepError) {
    t.is(opened.code, 'INSECURE');
  } else {
    t.false(JSON.stringify(opened).includes('evil'));
  }
});

test('without a keyring the text is taken and that is said', async (t) => {
  const signed = await readFile(join(DATA, 'InRelease'));
  const opened = await openSigned(signed, '/nonexistent/keys.gpg');
  t.regex(opened.unchecked ?? '', /nonexistent|gpgv/);
  const release = parseRelease(opened.text, 'trixie');
  t.true(release.byHash);
  t.is(release.files.get('main/binary-riscv64/Packages.gz')?.sizeBytes, 7);
});

test('the index of another release is refused', async (t) => {
  const { text } = await openSigned(await readFile(join(DATA, 'InRelease')), '/nonexistent');
  const failure = t.throws(() => parseRelease(text, 'forky'), { instanceOf: LockstepError });
  t.is(failure.code, 'BAD_IMAGE');
  t.throws(() => parseRelease('<html>', 'trixie'), { instanceOf: LockstepError });
});

const INDEX =
  'Package: linux-image-riscv64\nVersion: 6.1\nSize: 3\nSHA256: ab\nFilename: pool/meta.deb\n' +
  'Depends: initramfs-tools, linux-image-6.12.1+deb13-riscv64 (= 6.12.1-1)\n\n' +
  'Package: linux-image-riscv64-extra\nVersion: 1\n\nPackage: opensbi\nVersion: 1.6\n';

test('a package is found by its whole name, its kernel by the dependency', (t) => {
  const found = findPackage(INDEX, 'linux-image-riscv64');
  t.is(found.path, 'pool/meta.deb');
  t.is(kernelPackageName(found), 'linux-image-6.12.1+deb13-riscv64');
});

test('a package that is missing or incomplete is refused', (t) => {
  for (const name of ['busybox', 'opensbi', 'linux-image']) {
    const failure = t.throws(() => findPackage(INDEX, name), { instanceOf: LockstepError }, name);
    t.is(failure.code, 'BAD_IMAGE');
  }
});
