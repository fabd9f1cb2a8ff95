/**
 * Goal: a folder with a manifest is a complete, verified image; everything else is built anew.
 * Method: the whole builder against a mirror on loopback with packages of a few bytes.
 */

import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { LockstepError } from '../../../../lib/base/error.js';
import type { Reporter } from '../../../../lib/host/image/debian-archive.js';
import {
  buildDebianImage,
  findDebianImage,
  type DebianImageOptions,
} from '../../../../lib/host/image/debian-image.js';
import { findProgram } from '../../../../lib/host/image/program.js';
import {
  DebianMirror,
  makeKernel,
  standardTrees,
  type Dependencies,
  type Tree,
} from '../../../support/debian-mirror.js';

const SILENT: Reporter = { stage: () => {}, progress: () => {}, note: () => {} };

async function begin(
  t: ExecutionContext,
  trees: Record<string, Tree> = standardTrees(),
  dependencies: Dependencies = {},
): Promise<{ mirror: DebianMirror; options: DebianImageOptions }> {
  const mirror = await DebianMirror.start(trees, dependencies);
  const folder = await mkdtemp(join(tmpdir(), 'lockstep-image-'));
  t.teardown(async () => {
    await mirror.stop();
    await rm(folder, { recursive: true });
  });
  const options: DebianImageOptions = {
    mirror: mirror.url,
    cacheFolder: join(folder, 'cache'),
    outputFolder: join(folder, 'image'),
    keyring: '/nonexistent',
    packages: [],
    rootDiskBytes: null,
    script: null,
    refresh: false,
  };
  return { mirror, options };
}

test('the image has kernel, firmware, initrd and a manifest with their hashes', async (t) => {
  const { options } = await begin(t);
  const image = await buildDebianImage(options, SILENT);
  t.deepEqual(await readFile(image.kernel), makeKernel());
  t.is(await readFile(image.bios, 'utf8'), 'firmware');
  t.true((await readFile(image.initrd)).includes('virtio_mmio.ko'));
  t.deepEqual((await readdir(options.outputFolder)).sort(), [
    'Image',
    'fw_dynamic.bin',
    'initrd.img',
    'manifest.json',
  ]);
  t.deepEqual(await findDebianImage(options.outputFolder), image);
});

test('two builds give the same bytes; a finished one is not built again', async (t) => {
  const { mirror, options } = await begin(t);
  const first = await buildDebianImage(options, SILENT);
  const second = await buildDebianImage(
    { ...options, outputFolder: `${options.outputFolder}2` },
    SILENT,
  );
  t.deepEqual(second.manifest, first.manifest);
  const count = mirror.requests.length;
  await mirror.stop();
  await buildDebianImage(options, SILENT);
  t.is(mirror.requests.length, count);
});

test('another script makes another image; a damaged file makes none', async (t) => {
  const { options } = await begin(t);
  const plain = await buildDebianImage(options, SILENT);
  const script = Buffer.from('echo hello\n');
  const scripted = await buildDebianImage({ ...options, script }, SILENT);
  t.true((await readFile(scripted.initrd)).includes(script));
  t.not(scripted.manifest.files['initrd.img']?.sha256, plain.manifest.files['initrd.img']?.sha256);
  await writeFile(scripted.bios, 'damage');
  t.is(await findDebianImage(options.outputFolder), null);
});

test('packages come with what they need, below the right paths, without documentation', async (t) => {
  const trees = {
    ...standardTrees(),
    tool: { 'usr/bin/tool': 'program', 'usr/share/doc/tool/copyright': 'words' },
    library: {
      'usr/lib/ld-linux-test.so.1': 'loader',
      'usr/lib/a.so': { link: 'symbolic', target: 'a.so.1' },
    },
  } as const;
  const { options } = await begin(t, trees, { tool: 'missing | library (>= 1)' });
  const plain = await buildDebianImage(options, SILENT);
  const image = await buildDebianImage({ ...options, packages: ['tool'] }, SILENT);
  t.true(Object.keys(image.manifest.packages).includes('library'));
  const initrd = (await readFile(image.initrd)).toString('latin1');
  for (const path of ['usr/bin/tool', 'usr/lib/a.so', 'lib/ld-linux-test.so.1']) {
    t.true(initrd.includes(`${path}\0`), path);
  }
  t.false(initrd.includes('copyright'));
  const again = await buildDebianImage(options, SILENT);
  t.deepEqual(again.manifest, plain.manifest);
});

test('a root disk takes packages and script, and is built anew when it is to be another', async (t) => {
  const { options } = await begin(t, { ...standardTrees(), tool: { 'usr/bin/tool': 'program' } });
  if ((await findProgram('debugfs')) === null) {
    t.log('skipped: e2fsprogs is not installed');
    t.pass();
    return;
  }
  const script = Buffer.from('echo hello\n');
  const wanted = { ...options, packages: ['tool'], script, rootDiskBytes: 16 << 20 };
  const image = await buildDebianImage(wanted, SILENT);
  t.is(image.disk, join(options.outputFolder, 'root.img'));
  const disk = await readFile(image.disk ?? '');
  t.is(disk.length, 16 << 20);
  t.true(disk.includes('program') && disk.includes('echo hello'));
  t.false((await readFile(image.initrd)).includes('echo hello'));
  t.deepEqual(await findDebianImage(options.outputFolder), image);
  const larger = await buildDebianImage({ ...wanted, rootDiskBytes: 20 << 20 }, SILENT);
  t.is(larger.manifest.rootDisk?.sizeBytes, 20 << 20);
  const plain = await buildDebianImage(options, SILENT);
  t.is(plain.disk, null);
});

test('a package without what it should hold is refused', async (t) => {
  const { options } = await begin(t, { ...standardTrees(), opensbi: { other: 'x' } });
  const failure = await t.throwsAsync(buildDebianImage(options, SILENT), {
    instanceOf: LockstepError,
  });
  t.is(failure.code, 'BAD_IMAGE');
  t.is(await findDebianImage(options.outputFolder), null);
});

test('a folder that cannot be made is IO, with its name', async (t) => {
  const { options } = await begin(t);
  await mkdir(options.cacheFolder);
  const file = join(options.cacheFolder, 'file');
  await writeFile(file, '');
  const failure = await t.throwsAsync(
    buildDebianImage({ ...options, outputFolder: join(file, 'below') }, SILENT),
    { instanceOf: LockstepError },
  );
  t.is(failure.code, 'IO');
  t.true(failure.message.includes(file));
});
