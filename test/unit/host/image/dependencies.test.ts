/**
 * Goal: packages come with everything they need, and nothing that can't be had goes unnoticed.
 * Method: an index of a few packages that depend on each other in every way that is written.
 */

import test from 'ava';
import { LockstepError } from '../../../../lib/base/error.js';
import { resolvePackages } from '../../../../lib/host/image/dependencies.js';

function indexOf(packages: Readonly<Record<string, string>>): string {
  return Object.entries(packages)
    .map(
      ([name, fields]) =>
        `Package: ${name}\nVersion: 1\n${fields}Filename: ${name}.deb\nSize: 1\nSHA256: 0\n`,
    )
    .join('\n');
}

const INDEX = indexOf({
  tool: 'Pre-Depends: base (>= 2)\nDepends: nowhere | library:any [riscv64], other (= 1)\n',
  library: 'Depends: base\n',
  base: 'Depends: library\n',
  other: '',
  broken: 'Depends: nowhere | nobody\n',
});

test('what is needed is found all the way down, once each, in order of name', (t) => {
  const names = resolvePackages(INDEX, ['tool']).map(({ name }) => name);
  t.deepEqual(names, ['base', 'library', 'other', 'tool']);
  t.deepEqual(resolvePackages(INDEX, []), []);
});

test('a name that is no package is the mistake of who asked, a dependency that of the index', (t) => {
  const codeOf = (name: string) =>
    t.throws(() => resolvePackages(INDEX, [name]), { instanceOf: LockstepError }).code;
  t.is(codeOf('nobody'), 'USAGE');
  t.is(codeOf('broken'), 'BAD_IMAGE');
});
