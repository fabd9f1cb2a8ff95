/**
 * Goal: the mirror taken is the one apt would take Debian's packages from.
 * Method: source files in both formats, among them those of other vendors, in a folder of the
 * test's own.
 */

import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { LockstepError } from '../../../../lib/base/error.js';
import {
  chooseMirror,
  configuredMirror,
  parseDeb822Sources,
  parseSourcesList,
} from '../../../../lib/host/image/apt-sources.js';

const VENDOR = 'deb [arch=amd64] http://VENDOR/apt tool-bookworm main';

test('one-line sources: options and comments are no part of the archive', (t) => {
  const sources = parseSourcesList(
    `# deb http://COMMENTED/ trixie main\n${VENDOR}\n` +
      'deb-src http://SOURCE/debian trixie main\n' +
      'deb [signed-by=/k.gpg arch=amd64] http://MIRROR/debian/ trixie main contrib # note\n',
  );
  t.is(sources.length, 2);
  t.is(chooseMirror(sources), 'http://MIRROR/debian');
});

test('paragraph sources: disabled and source-only ones are passed over', (t) => {
  const sources = parseDeb822Sources(
    'Types: deb-src\nURIs: http://A\nSuites: trixie\nComponents: main\n\n' +
      'Enabled: no\nTypes: deb\nURIs: http://B\nSuites: trixie\nComponents: main\n\n' +
      'Types: deb deb-src\nURIs: http://C/x http://D\n' +
      'Suites: bookworm bookworm-updates\nComponents: main\n',
  );
  t.is(chooseMirror(sources), 'http://C/x');
});

test('a security archive, another vendor and a CD-ROM are no mirror', (t) => {
  const sources = parseSourcesList(
    `${VENDOR}\ndeb http://S/debian-security trixie-security main\n` +
      'deb cdrom:[Debian]/ trixie main\ndeb http://C/debian trixie contrib\n',
  );
  t.is(chooseMirror(sources), undefined);
});

test('the configured mirror comes from both kinds of files; none is a usage error', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'lockstep-apt-'));
  t.teardown(() => rm(folder, { recursive: true }));
  const failure = await t.throwsAsync(configuredMirror(folder), { instanceOf: LockstepError });
  t.is(failure.code, 'USAGE');
  await mkdir(join(folder, 'sources.list.d'));
  await writeFile(join(folder, 'sources.list.d', 'vendor.list'), VENDOR);
  await writeFile(
    join(folder, 'sources.list.d', 'debian.sources'),
    'Types: deb\nURIs: http://MIRROR/debian\nSuites: bookworm\nComponents: main\n',
  );
  t.is(await configuredMirror(folder), 'http://MIRROR/debian');
});
