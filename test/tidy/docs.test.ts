/**
 * Goal: documents say what the code does.
 * Method: whatever the documents list is compared with the table in the code that it lists.
 */

import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import test from 'ava';
import { EXIT_STATUS } from '../../lib/base/error.js';
import { renderMetricsDocument } from '../../lib/metrics/document.js';
import { commandLineDocument } from '../../tools/docs/command-line.js';
import { parseSpecification } from '../../tools/spec/specification.js';
import { COMMANDS } from '../../tools/commands/index.js';
import { complaint, documents, paths, read, ROOT, sources } from './tree.js';

const MAX_PROSE_COLUMNS = 100;

test('docs/CLI.md is what `npm run docs` writes', async (t) => {
  t.is(read('docs/CLI.md'), await commandLineDocument());
});

test('every exit status is explained', (t) => {
  const operating = read('docs/OPERATING.md');
  const missing = Object.entries(EXIT_STATUS).filter(
    ([code, status]) => !operating.includes(`| ${status} | \`${code}\` |`),
  );
  t.deepEqual(missing, []);
});

test('docs/METRICS.md is what `npm run docs` writes', (t) => {
  t.is(read('docs/METRICS.md'), renderMetricsDocument());
});

test('the promises can be read, and their commands name tests that exist', (t) => {
  const items = parseSpecification(read('docs/SPECIFICATION.md'));
  t.true(items.length > 0);
  const complaints = items.flatMap(({ id, command }) =>
    missingTests(command ?? '').map((what) => `${id}: ${what}`),
  );
  t.deepEqual(complaints, []);
});

/** Test files of a command that are not in the tree, and titles that no test has. */
function missingTests(command: string): string[] {
  const files = [...command.matchAll(/dist\/(test\/[\w/-]+\.test)\.js/g)].map(
    (match) => `${match[1]}.ts`,
  );
  const titles = [...command.matchAll(/--match[= ]'\*?([^'*]+)\*?'/g)].map((match) => match[1]);
  const text = files.map(read).join('\n');
  return [
    ...files.filter((file) => !paths.includes(file)),
    ...titles.filter((title) => title !== undefined && !text.includes(title)),
  ].map(String);
}

test('every flag that a document writes after a command exists', async (t) => {
  const flags = new Set(['help', 'version']);
  for (const entry of COMMANDS) {
    const { options } = await entry.load();
    for (const name of Object.keys(options)) flags.add(name);
  }
  const complaints = documents
    .filter(({ path }) => path === 'README.md' || path.startsWith('docs/'))
    .flatMap(({ path, text }) =>
      text.split('\n').flatMap((line, index) => {
        const call = /(?:^|`|\$ |&& )(?:npx )?lockstep ([^`|]*)/.exec(line)?.[1] ?? '';
        return [...call.matchAll(/(?<![\w-])--([a-z][a-z-]*)/g)]
          .filter((match) => !flags.has(match[1] ?? ''))
          .map((match) => complaint(path, index + 1, `${match[0]}: no command has it`));
      }),
    );
  t.deepEqual(complaints, []);
});

test('links between documents lead somewhere', (t) => {
  const complaints = documents.flatMap(({ path, text }) =>
    [...text.matchAll(/\]\(([^)#:\s]+)(?:#[\w-]*)?\)/g)]
      .filter((match) => !existsSync(join(ROOT, dirname(path), match[1] ?? '')))
      .map((match) => complaint(path, 1, `no ${match[1]}`)),
  );
  t.deepEqual(complaints, []);
});

test('source files that documents name exist', (t) => {
  const known = new Set(paths);
  const complaints = documents.flatMap(({ path, text }) =>
    [...text.matchAll(/`((?:lib|primary|backup|tools|test|proto|guest)\/[\w./-]+\.\w+)`/g)]
      .filter((match) => !known.has(match[1] ?? ''))
      .map((match) => complaint(path, 1, `no ${match[1]}`)),
  );
  t.deepEqual(complaints, []);
});

test(`prose keeps to ${MAX_PROSE_COLUMNS} columns; tables, code and long links may not`, (t) => {
  const complaints = documents.flatMap(({ path, text }) => {
    let inCode = false;
    return text.split('\n').flatMap((line, index) => {
      if (line.startsWith('```')) inCode = !inCode;
      const isProse = !inCode && !line.startsWith('|') && line.includes(' ');
      return isProse && line.length > MAX_PROSE_COLUMNS
        ? [complaint(path, index + 1, `${line.length} columns`)]
        : [];
    });
  });
  t.deepEqual(complaints, []);
});

test('every folder of tests belongs to a script of package.json', (t) => {
  const scripts = read('package.json');
  const folders = new Set(
    sources.filter(({ path }) => path.endsWith('.test.ts')).map(({ path }) => path.split('/')[1]),
  );
  const lost = [...folders].filter(
    (folder) => folder !== undefined && !new RegExp(`[/{,]${folder}[/},]`).test(scripts),
  );
  t.deepEqual(lost, []);
});
