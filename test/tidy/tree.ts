/**
 * The source tree as tidy sees it: every file a person wrote, read once, with TypeScript split
 * into code and comments.
 *
 * Tidy works on text, because the compiler of this project offers no program interface. It knows
 * just enough of the language to tell code from comments, strings and regular expressions; what
 * needs types is the linter's job.
 */

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { splitSource, type SplitSource } from './split-source.js';

export const ROOT = fileURLToPath(new URL('../../../', import.meta.url));

/** Folders nobody writes by hand. */
const SKIPPED = new Set(['.git', 'node_modules', 'dist', '.cache', 'generated', 'data']);

/** Formats whose words are checked; anything else in the tree is binary or data. */
const TEXT_FORMATS = [
  '.ts .js .json .md .proto .yaml .yml .sh .c .S .s .h .ld .lds .txt .mk',
  'LICENSE .npmrc .gitignore .prettierignore Makefile run',
].flatMap((line) => line.split(' '));

export interface TreeFile {
  /** Relative to the root, with forward slashes. */
  readonly path: string;
  readonly text: string;
}

export interface SourceFile extends TreeFile, SplitSource {
  /** Files of this tree that it imports, relative to the root, types included. */
  readonly imports: readonly string[];
}

function walk(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    if (SKIPPED.has(entry.name) || entry.name.endsWith('.tsbuildinfo')) return [];
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return walk(path);
    return entry.isFile() ? [path] : [];
  });
}

export const paths: readonly string[] = walk(ROOT)
  .map((path) => relative(ROOT, path))
  .sort();

export const textFiles: readonly TreeFile[] = paths
  .filter((path) => TEXT_FORMATS.some((format) => path.endsWith(format)))
  .filter((path) => path !== 'package-lock.json')
  .map((path) => ({ path, text: readFileSync(join(ROOT, path), 'utf8') }));

export const sources: readonly SourceFile[] = textFiles
  .filter(({ path }) => path.endsWith('.ts'))
  .map((file) => ({ ...file, ...splitSource(file.text), imports: importsOf(file) }));

export const documents: readonly TreeFile[] = textFiles.filter(({ path }) => path.endsWith('.md'));

/** The text of one file of the tree; the empty string where it does not exist. */
export function read(path: string): string {
  return textFiles.find((file) => file.path === path)?.text ?? '';
}

function importsOf(file: TreeFile): string[] {
  const { code, strings } = splitSource(file.text);
  const pattern = /(?:\bfrom|\bimport|\bimport\()\s*["'`](\d+)["'`]/g;
  const found: string[] = [];
  for (const match of code.matchAll(pattern)) {
    const specifier = strings[Number(match[1])] ?? '';
    if (!specifier.startsWith('.')) continue;
    const target = resolve(ROOT, dirname(file.path), specifier).replace(/\.js$/, '.ts');
    if (existsSync(target)) found.push(relative(ROOT, target));
  }
  return found;
}

/** One complaint a line, in a form that editors and people can follow. */
export function complaint(path: string, line: number, what: string): string {
  return `${path}:${line}: ${what}`;
}

/** The 1-based line of a character offset. */
export function lineOf(text: string, offset: number): number {
  let line = 1;
  for (let at = text.indexOf('\n'); at >= 0 && at < offset; at = text.indexOf('\n', at + 1)) line++;
  return line;
}
