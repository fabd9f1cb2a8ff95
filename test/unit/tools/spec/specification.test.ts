/**
 * Goal: the runner sees exactly the promises that a reader of the document sees.
 * Method: small documents, and the real one.
 */

import { readFile } from 'node:fs/promises';
import test from 'ava';
import { LockstepError } from '../../../../lib/base/error.js';
import { COLUMNS, parseSpecification } from '../../../../tools/spec/specification.js';

const HEAD = `## Section\n\n| ${COLUMNS.join(' | ')} |\n|${' --- |'.repeat(COLUMNS.length)}\n`;

test('a row gives its cells, and an escaped bar stays in its cell', (t) => {
  const items = parseSpecification(`${HEAD}| \`a-b\` | one | 2 ms | \`x \\| y\` | 1 ms |\n`);
  t.deepEqual(items, [
    {
      id: 'a-b',
      promise: 'one',
      figure: '2 ms',
      command: 'x | y',
      measured: '1 ms',
      section: 'Section',
    },
  ]);
});

test('a promise whose test is pending has no command', (t) => {
  const row = '| `a` | one | 2 | test pending | test pending |\n';
  t.is(parseSpecification(HEAD + row)[0]?.command, null);
});

test('another table in the document is prose', (t) => {
  t.deepEqual(parseSpecification('| A | B |\n| --- | --- |\n| `a` | b |\n'), []);
});

for (const [what, row] of [
  ['a missing cell', '| `a` | one | 2 | `x` |\n'],
  ['an id that is not code', '| a | one | 2 | `x` | 1 |\n'],
  ['a command that is neither code nor pending', '| `a` | one | 2 | x | 1 |\n'],
  ['an id that stands twice', '| `a` | one | 2 | `x` | 1 |\n| `a` | two | 2 | `x` | 1 |\n'],
] as const) {
  test(`a table is refused for ${what}`, (t) => {
    const error = t.throws(() => parseSpecification(HEAD + row), { instanceOf: LockstepError });
    t.is(error?.code, 'USAGE');
  });
}

test('the document of this project can be read', async (t) => {
  const url = new URL('../../../../../docs/SPECIFICATION.md', import.meta.url);
  t.true(parseSpecification(await readFile(url, 'utf8')).length >= 30);
});
