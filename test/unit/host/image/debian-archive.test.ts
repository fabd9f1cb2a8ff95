/**
 * Goal: packages come from the cache where it is enough, from the mirror where it is not, and
 * never unverified.
 * Method: a mirror on loopback, counting requests.
 */

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { LockstepError } from '../../../../lib/base/error.js';
import {
  fetchPackages,
  type ArchiveOptions,
  type Reporter,
} from '../../../../lib/host/image/debian-archive.js';
import { DebianMirror } from '../../../support/debian-mirror.js';

class Notes implements Reporter {
  readonly stages: string[] = [];
  readonly notes: string[] = [];
  stage(text: string): void {
    this.stages.push(text);
  }
  progress(): void {}
  note(text: string): void {
    this.notes.push(text);
  }
}

async function begin(
  t: ExecutionContext,
): Promise<{ mirror: DebianMirror; options: ArchiveOptions; notes: Notes }> {
  const mirror = await DebianMirror.start();
  const cacheFolder = await mkdtemp(join(tmpdir(), 'lockstep-cache-'));
  t.teardown(async () => {
    await mirror.stop();
    await rm(cacheFolder, { recursive: true });
  });
  const options = {
    mirror: mirror.url,
    cacheFolder,
    keyring: '/nonexistent',
    extra: [],
    refresh: false,
  };
  return { mirror, options, notes: new Notes() };
}

test('the first fetch asks the mirror, the second nothing, a refresh for the index', async (t) => {
  const { mirror, options, notes } = await begin(t);
  const packages = await fetchPackages(options, notes);
  t.is(packages.release, '13.0');
  t.is(packages.firmware.version, '1');
  t.is(mirror.requests.length, 5);
  t.is(notes.stages.length, 4);
  t.is(notes.notes.length, 1, 'an unchecked signature is said');

  await fetchPackages(options, notes);
  t.is(mirror.requests.length, 5);
  await fetchPackages({ ...options, refresh: true }, notes);
  t.deepEqual(mirror.requests.slice(5), ['dists/trixie/InRelease']);
});

test('a cached package that was damaged is fetched again', async (t) => {
  const { mirror, options, notes } = await begin(t);
  const { busybox } = await fetchPackages(options, notes);
  await writeFile(busybox.file, 'damage');
  await fetchPackages(options, notes);
  t.is(mirror.requests.at(-1), busybox.path);
});

test('an index that its hash does not fit is refused', async (t) => {
  const { mirror, options, notes } = await begin(t);
  mirror.faults.damaged = [...mirror.files.keys()].find((path) => path.includes('by-hash')) ?? '';
  const failure = await t.throwsAsync(fetchPackages(options, notes), {
    instanceOf: LockstepError,
  });
  t.is(failure.code, 'BAD_IMAGE');
});

test('an index is found under its name where the mirror has none by hash', async (t) => {
  const { mirror, options, notes } = await begin(t);
  const hashed = [...mirror.files.keys()].find((path) => path.includes('by-hash')) ?? '';
  const index = mirror.files.get(hashed);
  mirror.files.delete(hashed);
  mirror.files.set('dists/trixie/main/binary-riscv64/Packages.gz', index ?? Buffer.alloc(0));
  t.is((await fetchPackages(options, notes)).busybox.version, '1');
});
