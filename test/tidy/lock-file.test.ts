/**
 * Goal: an installation gets the packages that were tested, from wherever this machine gets its
 * packages.
 * Method: read the lock file. Entries name no host, and carry a digest; only builds of tools for
 * other systems than Linux on x64 or arm64 may lack one, because npm skips them where this
 * project is tested.
 */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { ROOT } from './tree.js';

interface LockEntry {
  readonly version?: string;
  readonly integrity?: string;
  readonly optional?: boolean;
  readonly dev?: boolean;
  readonly hasInstallScript?: boolean;
}

const text = readFileSync(join(ROOT, 'package-lock.json'), 'utf8');
const lock = JSON.parse(text) as { packages: Record<string, LockEntry> };
const entries = Object.entries(lock.packages).filter(([path]) => path !== '');

test('the lock file names no host', (t) => {
  t.notRegex(text, /"resolved"/);
});

test('every package carries a digest, except tools built for other systems', (t) => {
  const without = entries.filter(([, { integrity }]) => !integrity?.startsWith('sha512-'));
  const unexpected = without.filter(([path, { optional, dev }]) => {
    const isOtherSystem = !/linux-(x64|arm64|aarch64)(-gnu)?$/.test(path);
    return !(optional === true && dev === true && isOtherSystem);
  });
  t.deepEqual(
    unexpected.map(([path]) => path),
    [],
  );
});

test('dependencies have exact versions', (t) => {
  const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as Record<
    string,
    Record<string, string>
  >;
  const ranges = ['dependencies', 'devDependencies'].flatMap((group) =>
    Object.entries(manifest[group] ?? {}).filter(([, version]) => !/^\d/.test(version)),
  );
  t.deepEqual(ranges, []);
});
