/**
 * Goal: a file is whole and right or not there, whatever the network does.
 * Method: a mirror on loopback that damages, breaks off and refuses.
 */

import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { LockstepError } from '../../../../lib/base/error.js';
import {
  downloadBytes,
  downloadFile,
  isNotThere,
  type Expected,
} from '../../../../lib/host/image/download.js';
import { DebianMirror } from '../../../support/debian-mirror.js';

const BODY = Buffer.alloc(50_000, 'lockstep');
const EXPECTED: Expected = {
  sha256: createHash('sha256').update(BODY).digest('hex'),
  sizeBytes: BODY.length,
};

interface Stage {
  readonly mirror: DebianMirror;
  readonly url: URL;
  readonly folder: string;
  readonly path: string;
}

async function stage(t: ExecutionContext): Promise<Stage> {
  const mirror = await DebianMirror.start();
  const folder = await mkdtemp(join(tmpdir(), 'lockstep-download-'));
  t.teardown(async () => {
    await mirror.stop();
    await rm(folder, { recursive: true });
  });
  mirror.files.set('file', BODY);
  return { mirror, folder, path: join(folder, 'file'), url: new URL(`${mirror.url}/file`) };
}

test('progress ends at the whole, and a second call fetches nothing', async (t) => {
  const { mirror, url, path } = await stage(t);
  let last = 0;
  await downloadFile(url, path, EXPECTED, (done) => (last = done));
  t.is(last, BODY.length);
  await downloadFile(url, path, EXPECTED, () => t.fail('nothing is to be fetched'));
  t.deepEqual(mirror.requests, ['file']);
  t.deepEqual(await readFile(path), BODY);
});

test('a broken connection is continued where it broke', async (t) => {
  const { mirror, url, path } = await stage(t);
  mirror.faults.breakOnceAfterBytes = 20_000;
  await downloadFile(url, path, EXPECTED, () => undefined);
  t.deepEqual(await readFile(path), BODY);
  t.regex(mirror.requests[1] ?? '', /^file from \d+$/);
});

test('the rest of an earlier run is continued', async (t) => {
  const { mirror, url, path } = await stage(t);
  await writeFile(`${path}.part`, BODY.subarray(0, 30_000));
  await downloadFile(url, path, EXPECTED, () => undefined);
  t.deepEqual(mirror.requests, ['file from 30000']);
});

test('a wrong hash leaves nothing behind', async (t) => {
  const { mirror, url, path, folder } = await stage(t);
  mirror.faults.damaged = 'file';
  const failure = await t.throwsAsync(
    downloadFile(url, path, EXPECTED, () => undefined),
    { instanceOf: LockstepError },
  );
  t.is(failure.code, 'BAD_IMAGE');
  t.deepEqual(await readdir(folder), []);
});

test('a file longer than promised is not taken', async (t) => {
  const { url, path } = await stage(t);
  const expected = { ...EXPECTED, sizeBytes: 1000 };
  await t.throwsAsync(
    downloadFile(url, path, expected, () => undefined),
    { instanceOf: LockstepError },
  );
});

test('a missing file and a missing server are told apart', async (t) => {
  const { mirror, url } = await stage(t);
  const missing = await t.throwsAsync(downloadBytes(new URL('/none', url), 1000));
  t.true(isNotThere(missing));
  await mirror.stop();
  const silent = await t.throwsAsync(downloadBytes(url, 1000), { instanceOf: LockstepError });
  t.is(silent.code, 'IO');
  t.false(isNotThere(silent));
});

test('a mirror on a file system works like any other', async (t) => {
  const { folder, path } = await stage(t);
  const source = join(folder, 'source');
  await writeFile(source, BODY);
  await downloadFile(new URL(`file://${source}`), path, EXPECTED, () => undefined);
  t.deepEqual(await readFile(path), BODY);
});
