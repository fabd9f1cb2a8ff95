/**
 * Goal: a file is read in one sitting, a function on one screen.
 * Method: count lines of files here; the linter counts those of functions, and this test holds
 * its limits in place.
 */

import test from 'ava';
import { LONG_FILES } from './exceptions.js';
import { complaint, read, sources } from './tree.js';

const MAX_FILE_LINES = 400;
const MAX_FUNCTION_LINES = 70;

test(`a source file has at most ${MAX_FILE_LINES} lines, unless it is named with a reason`, (t) => {
  const long = sources.filter(({ text }) => text.trimEnd().split('\n').length > MAX_FILE_LINES);
  t.deepEqual(
    long
      .filter(({ path }) => LONG_FILES[path] === undefined)
      .map(({ path, text }) => complaint(path, text.split('\n').length, 'too long')),
    [],
  );
  const unneeded = Object.keys(LONG_FILES).filter(
    (path) => !long.some((file) => file.path === path),
  );
  t.deepEqual(unneeded, [], 'exceptions that are no longer needed');
});

test(`the linter refuses functions of more than ${MAX_FUNCTION_LINES} lines`, (t) => {
  const config: unknown = JSON.parse(read('.oxlintrc.json'));
  const rule = /"eslint\/max-lines-per-function": \[\s*"error",\s*\{ "max": (\d+)/.exec(
    JSON.stringify(config, null, 1).replace(/\s+/g, ' '),
  );
  t.is(Number(rule?.[1]), MAX_FUNCTION_LINES);
});
