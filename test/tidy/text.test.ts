/**
 * Goal: what people read is finished, and leads nowhere it should not.
 * Method: search every text of the tree. A pattern is written so that it does not match itself.
 */

import test from 'ava';
import { KNOWN_HOSTS } from './exceptions.js';
import { complaint, documents, lineOf, sources, textFiles, type TreeFile } from './tree.js';

const MAX_COMMENT_COLUMNS = 100;
const MIN_HEADER_CHARACTERS = 60;

interface TextRule {
  readonly pattern: RegExp;
  readonly instead: string;
}

const RULES: readonly TextRule[] = [
  { pattern: /\b(?:TOD[O]|FIXM[E]|XX[X]|HAC[K])\b/g, instead: 'an issue, or the work itself' },
  { pattern: /\bslave[s]?\b/gi, instead: 'backup' },
  { pattern: /\b(?:white|black)lis[t]/gi, instead: 'allow list, deny list' },
  {
    pattern: /npmj[s]\.|registr[y]\.[a-z]+\.[a-z]{2,}|debian\.or[g]/g,
    instead: "the machine's own settings",
  },
  { pattern: /(?<![\w.])\/(?:hom[e]|wor[k])\/\w/g, instead: 'a path relative to the tree' },
  { pattern: /\bfar[m]-[a-z]+/g, instead: 'a tool that everyone has' },
  { pattern: /(?:oxlin[t]|eslin[t])-disable/g, instead: 'the table of exceptions' },
  { pattern: /@ts-(?:ignor[e]|expect-erro[r]|nochec[k])/g, instead: 'a type that is true' },
  { pattern: /\btest\.(?:onl[y]|todo|failing|skip)\b(?=[^`]*\()/g, instead: 'a test that runs' },
];

function findings({ path, text }: TreeFile, { pattern, instead }: TextRule): string[] {
  return [...text.matchAll(pattern)].map((match) =>
    complaint(path, lineOf(text, match.index), `"${match[0]}": better ${instead}`),
  );
}

test('no text holds a word or a path that does not belong in it', (t) => {
  t.deepEqual(
    textFiles.flatMap((file) => RULES.flatMap((rule) => findings(file, rule))),
    [],
  );
});

test('a URL names only hosts that are known here, or a placeholder', (t) => {
  const complaints = textFiles.flatMap(({ path, text }) =>
    [...text.matchAll(/\bhttps?:\/\/([\w.-]+)/g)]
      .filter((match) => !/^[A-Z]+$/.test(match[1] ?? ''))
      .filter((match) => KNOWN_HOSTS[match[1] ?? ''] === undefined)
      .map((match) => complaint(path, lineOf(text, match.index), `unknown host ${match[1]}`)),
  );
  t.deepEqual(complaints, []);
});

test('every source file opens with a comment that says what it is', (t) => {
  const complaints = sources
    .filter(({ text }) => headerOf(text).length < MIN_HEADER_CHARACTERS)
    .map(({ path }) => complaint(path, 1, 'no header comment'));
  t.deepEqual(complaints, []);
});

function headerOf(text: string): string {
  const match = /^(?:#!.*\n)?\/\*\*([\s\S]*?)\*\//.exec(text);
  return (match?.[1] ?? '')
    .replace(/^\s*\*/gm, '')
    .replace(/\s+/g, ' ')
    .trim();
}

test(`comments keep to ${MAX_COMMENT_COLUMNS} columns`, (t) => {
  const complaints = sources.flatMap(({ path, text, comments }) => {
    const lines = text.split('\n');
    return comments.split('\n').flatMap((comment, index) => {
      const isLong = (lines[index]?.length ?? 0) > MAX_COMMENT_COLUMNS && comment.trim() !== '';
      return isLong ? [complaint(path, index + 1, 'comment too long')] : [];
    });
  });
  t.deepEqual(complaints, []);
});

test('every document has exactly one title, and it comes first', (t) => {
  const complaints = documents.flatMap(({ path, text }) => {
    const prose = text.replace(/^```[\s\S]*?^```/gm, '');
    const titles = [...prose.matchAll(/^# /gm)];
    return titles.length === 1 && titles[0]?.index === 0
      ? []
      : [complaint(path, 1, `${titles.length} titles`)];
  });
  t.deepEqual(complaints, []);
});

test('documents have upper-case names, decisions a number', (t) => {
  const wrong = documents
    .map(({ path }) => path)
    .filter((path) => {
      const name = path.slice(path.lastIndexOf('/') + 1);
      return path.startsWith('docs/decisions/')
        ? !/^\d{4}-[a-z0-9-]+\.md$/.test(name)
        : !/^[A-Z][A-Z-]*\.md$/.test(name);
    });
  t.deepEqual(wrong, []);
});
