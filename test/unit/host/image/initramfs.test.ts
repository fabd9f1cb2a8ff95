/**
 * Goal: the guest finds its init, its modules and its script where they belong.
 * Method: look for the pieces in the archive of a small set of parts.
 */

import test from 'ava';
import { buildInitramfs, type InitramfsParts } from '../../../../lib/host/image/initramfs.js';

const PARTS: InitramfsParts = {
  busybox: Buffer.from('BUSYBOX'),
  kernelVersion: '6.12',
  modules: {
    modules: [{ path: 'kernel/a/b.ko', bytes: Buffer.from('MODULE'), depends: [], aliases: [] }],
    dependencyIndex: 'kernel/a/b.ko:\n',
    aliasIndex: 'alias x b\n',
  },
  script: null,
};

function names(archive: Uint8Array): string[] {
  const text = Buffer.from(archive).toString('latin1');
  return [...text.matchAll(/070701[0-9a-f]{104}([^\0]+)\0/g)].map((match) => match[1] ?? '');
}

test('parents stand before children, and the kernel finds init and its console', (t) => {
  const entries = names(buildInitramfs(PARTS));
  const folder = 'lib/modules/6.12';
  for (const path of ['init', 'bin/busybox', 'dev/console', `${folder}/kernel/a/b.ko`]) {
    t.true(entries.includes(path), path);
  }
  for (const [index, path] of entries.entries()) {
    const parent = path.slice(0, Math.max(0, path.lastIndexOf('/')));
    t.true(parent === '' || entries.slice(0, index).includes(parent), `parent of ${path}`);
  }
  t.is(new Set(entries).size, entries.length);
});

test('a script is in the archive exactly if one was given', (t) => {
  t.false(names(buildInitramfs(PARTS)).includes('script'));
  t.true(names(buildInitramfs({ ...PARTS, script: Buffer.from('ls') })).includes('script'));
});

test('equal parts give equal bytes', (t) => {
  t.deepEqual(buildInitramfs(PARTS), buildInitramfs(PARTS));
});
