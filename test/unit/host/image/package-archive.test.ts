/**
 * Goal: files come out of a package as they went in, and damage is an answer, not a crash.
 * Method: packages made by the test, whole, cut and bent.
 */

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { LockstepError } from '../../../../lib/base/error.js';
import { extractEntries, extractPackage } from '../../../../lib/host/image/package-archive.js';
import { makePackage } from '../../../support/debian-mirror.js';

const LONG = `usr/lib/${'long/'.repeat(30)}file`;
const PACKAGE = makePackage({
  'usr/bin/a': 'first',
  empty: '',
  [LONG]: Buffer.alloc(70_000, 7),
  skipped: 'not wanted',
});

let folder: string;
test.before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lockstep-deb-'));
});
test.after.always(() => rm(folder, { recursive: true }));

async function put(name: string, bytes: Uint8Array): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, bytes);
  return path;
}

test('wanted files come out whole, also empty ones and those with long names', async (t) => {
  const path = await put('whole.deb', PACKAGE);
  const files = await extractPackage(path, (name) => name !== 'skipped');
  t.deepEqual([...files.keys()], ['usr/bin/a', 'empty', LONG]);
  t.is(Buffer.from(files.get('usr/bin/a') ?? []).toString(), 'first');
  t.is(files.get('empty')?.length, 0);
  t.deepEqual(files.get(LONG), Buffer.alloc(70_000, 7));
});

test('links and modes come out too; a hard link to nothing is damage', async (t) => {
  const tree = {
    'usr/bin/a': 'first',
    'usr/bin/b': { link: 'hard', target: './usr/bin/a' },
    'usr/lib/c.so': { link: 'symbolic', target: 'c.so.1' },
  } as const;
  const entries = await extractEntries(await put('links.deb', makePackage(tree)), () => true);
  const first = { kind: 'file', mode: 0o755, bytes: Buffer.from('first') } as const;
  t.deepEqual(
    [...entries],
    [
      ['usr/bin/a', first],
      ['usr/bin/b', first],
      ['usr/lib/c.so', { kind: 'symlink', target: 'c.so.1' }],
    ],
  );
  const dangling = makePackage({ a: { link: 'hard', target: './b' } });
  const failure = await t.throwsAsync(
    extractEntries(await put('dangling.deb', dangling), () => true),
    { instanceOf: LockstepError },
  );
  t.is(failure.code, 'BAD_IMAGE');
});

test('a package that is cut short is refused, wherever it is cut', async (t) => {
  for (let length = 0; length < PACKAGE.length - 1; length += 37) {
    const path = await put('cut.deb', PACKAGE.subarray(0, length));
    const failure = await t.throwsAsync(
      extractPackage(path, () => true),
      { instanceOf: LockstepError },
      `cut at ${length}`,
    );
    t.is(failure.code, 'BAD_IMAGE');
  }
});

test('a compression that is not known is refused by name', async (t) => {
  const text = PACKAGE.toString('latin1').replace('data.tar.gz', 'data.tar.no');
  const path = await put('unknown.deb', Buffer.from(text, 'latin1'));
  const failure = await t.throwsAsync(extractPackage(path, () => true));
  t.regex(failure.message, /compressed as "\.no"/);
});
