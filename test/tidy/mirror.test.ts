/**
 * Goal: the test of a file is found without a search.
 * Method: every file of lib has `test/unit/<same path>.test.ts`, or stands in a folder that has a
 * test of its own name, or is named in the exceptions with the test that covers it.
 */

import test from 'ava';
import { TESTED_ELSEWHERE } from './exceptions.js';
import { paths, sources } from './tree.js';

/** `lib/a/b.ts` is tested by test/unit/a/b.test.ts, and so is `lib/a/b-part.ts`. */
function hasMirror(path: string): boolean {
  const inner = path.slice('lib/'.length, -'.ts'.length);
  const folder = inner.slice(0, inner.lastIndexOf('/'));
  const tests = paths.filter((other) => other.startsWith(`test/unit/${folder}`));
  return tests.some((other) => {
    const name = other.slice('test/unit/'.length, -'.test.ts'.length);
    return name === inner || name === folder || inner.startsWith(`${name}-`);
  });
}

function exceptionFor(path: string): string | undefined {
  return Object.keys(TESTED_ELSEWHERE).find((key) =>
    key.endsWith('/') ? path.startsWith(key) : path === key,
  );
}

/** A file that only declares types has nothing to run. */
function hasCode(code: string): boolean {
  return /\b(?:function|class)\b|=>\s*[{(\w]|= \[|= new /.test(
    code.replace(/^export (?:interface|type)[\s\S]*?^[}\]]?;?$/gm, ''),
  );
}

const subjects = sources.filter(({ path, code }) => path.startsWith('lib/') && hasCode(code));

test('every file of lib has a test in the same place, or a reason', (t) => {
  const missing = subjects
    .map(({ path }) => path)
    .filter((path) => !hasMirror(path) && exceptionFor(path) === undefined);
  t.deepEqual(missing, []);
});

test('no exception is unneeded', (t) => {
  const needed = new Set(
    subjects.filter(({ path }) => !hasMirror(path)).map(({ path }) => exceptionFor(path)),
  );
  t.deepEqual(
    Object.keys(TESTED_ELSEWHERE).filter((key) => !needed.has(key)),
    [],
  );
});

test('every unit test stands where its subject does', (t) => {
  const known = new Set(paths);
  const lost = paths
    .filter((path) => path.startsWith('test/unit/') && path.endsWith('.test.ts'))
    .filter((path) => {
      const inner = path.slice('test/unit/'.length, -'.test.ts'.length);
      const places = [`lib/${inner}`, inner, `tools/${inner}`];
      return !places.some(
        (place) =>
          known.has(`${place}.ts`) ||
          // A folder, or files that belong together: role.test.ts for role-core.ts, role-states.ts.
          paths.some((other) => other.startsWith(`${place}/`) || other.startsWith(`${place}-`)),
      );
    });
  t.deepEqual(lost, []);
});
