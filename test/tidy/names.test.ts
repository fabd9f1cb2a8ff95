/**
 * Goal: one word per idea, the same in every file.
 * Method: split each identifier, file name and folder name into words, and compare with a list.
 */

import test from 'ava';
import { FOREIGN_NAMES } from './exceptions.js';
import { complaint, lineOf, paths, sources } from './tree.js';

/** Words that may not be part of a name, with what to write instead. */
const BANNED_WORDS: readonly (readonly [RegExp, string])[] = [
  [/^slav[e]s?$/, 'backup'],
  [/^handle[rs]?s?$/, 'the verb of what is done, or the noun of what is held'],
  [/^managers?$/, 'the noun of what it owns'],
  [/^utils?$/, 'the noun of what it does'],
  [/^helpers?$/, 'the noun of what it does'],
  [/^misc$/, 'a folder with one job'],
  [/^resync$/, 'rejoin, or transfer'],
];

function wordsOf(name: string): string[] {
  return name
    .replace(/([a-z0-9])([A-Z])/g, '$1 $2')
    .replace(/([A-Z]+)([A-Z][a-z])/g, '$1 $2')
    .split(/[^A-Za-z0-9]+/)
    .filter((word) => word !== '')
    .map((word) => word.toLowerCase());
}

/**
 * The replacement for a name, if it needs one. `sync` is Node's suffix for a call that blocks
 * (`readFileSync`) and part of `fsync`; as a noun it says too little.
 */
function replacement(name: string): string | undefined {
  const words = wordsOf(name);
  const banned = BANNED_WORDS.find(([pattern]) => words.some((word) => pattern.test(word)));
  if (banned !== undefined) return banned[1];
  const at = words.indexOf('sync');
  if (at < 0 || (at > 0 && at === words.length - 1)) return undefined;
  return 'what is made equal: transfer, align, flush';
}

test('names in code use the words of the glossary', (t) => {
  const complaints = sources.flatMap(({ path, code }) =>
    [...code.matchAll(/\.?[A-Za-z_$][\w$]*/g)].flatMap((match) => {
      const name = match[0].replace('.', '');
      const isForeign = [match[0], name].some((key) => FOREIGN_NAMES[key] !== undefined);
      const hint = isForeign ? undefined : replacement(name);
      return hint === undefined
        ? []
        : [complaint(path, lineOf(code, match.index), `${match[0]}: better ${hint}`)];
    }),
  );
  t.deepEqual(complaints, []);
});

test('names of files and folders use the words of the glossary', (t) => {
  const complaints = paths.flatMap((path) => {
    const hint = path
      .split('/')
      .map(replacement)
      .find((found) => found !== undefined);
    return hint === undefined ? [] : [complaint(path, 1, `better ${hint}`)];
  });
  t.deepEqual(complaints, []);
});

test('a banned word is found inside a longer name, and a blocking call is not one', (t) => {
  t.truthy(replacement('pageTableHandler'));
  t.truthy(replacement('TWO_UTILS'));
  t.truthy(replacement('syncState'));
  t.truthy(replacement('event-manager.ts'));
  t.is(replacement('readFileSync'), undefined);
  t.is(replacement('fsyncFolder'), undefined);
  t.is(replacement('handshake'), undefined);
});

test('source files have kebab-case names', (t) => {
  const wrong = sources.map(({ path }) => path).filter((path) => !isKebab(path));
  t.deepEqual(wrong, []);
});

function isKebab(path: string): boolean {
  const name = path.slice(path.lastIndexOf('/') + 1);
  return /^[a-z0-9]+(-[a-z0-9]+)*(\.test)?(\.d)?\.ts$/.test(name);
}
