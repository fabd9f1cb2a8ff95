/**
 * Goal: imports point down the order of docs/ARCHITECTURE.md, without cycles, and the zone below
 * the line knows no host.
 * Method: compare the document, the project references and the imports with each other. The
 * compiler enforces the references; this test keeps them equal to what is written down.
 */

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { ENTRY_POINTS, ZONE_NAMES } from './exceptions.js';
import { complaint, lineOf, read, ROOT, sources, type SourceFile } from './tree.js';

/** Layers in order, lowest first, as the table of docs/ARCHITECTURE.md lists them. */
const layers: readonly { readonly folder: string; readonly isZone: boolean }[] = [
  ...read('docs/ARCHITECTURE.md').matchAll(/^\| `([\w/]+)` +\| (zone|host) +\|/gm),
].map((match) => ({ folder: match[1] ?? '', isZone: match[2] === 'zone' }));

const zone: readonly SourceFile[] = sources.filter(({ path }) =>
  layers.some(({ folder, isZone }) => isZone && path.startsWith(`${folder}/`)),
);

function layerOf(path: string): string | undefined {
  return layers.map(({ folder }) => folder).find((folder) => path.startsWith(`${folder}/`));
}

function projectOf(folder: string): { references: string[]; types: string[] } {
  const text = read(`${folder}/tsconfig.json`);
  const depth = '../'.repeat(folder.split('/').length);
  const references = [...text.matchAll(/"path": "([^"]+)"/g)].map((match) => {
    const path = match[1] ?? '';
    return path.startsWith(depth) ? path.slice(depth.length) : `lib/${path.replace('../', '')}`;
  });
  const types = /"types": \[([^\]]*)\]/.exec(text)?.[1] ?? '';
  return { references, types: types === '' ? [] : [types.replaceAll('"', '').trim()] };
}

test('the document lists every project, in the order of the root tsconfig', (t) => {
  const projects = [...read('tsconfig.json').matchAll(/"path": "\.\/([^"]+)"/g)].map(
    (match) => match[1],
  );
  t.deepEqual(
    layers.map(({ folder }) => folder),
    projects,
  );
});

test('project references point down the list', (t) => {
  const order = layers.map(({ folder }) => folder);
  const complaints = layers.flatMap(({ folder }) =>
    projectOf(folder)
      .references.filter((other) => order.indexOf(other) >= order.indexOf(folder))
      .map((other) => complaint(`${folder}/tsconfig.json`, 1, `refers up to ${other}`)),
  );
  t.deepEqual(complaints, []);
});

test('an import reaches only folders that the project refers to', (t) => {
  const complaints = sources.flatMap(({ path, imports }) => {
    const from = layerOf(path);
    if (from === undefined) return [complaint(path, 1, 'in no layer')];
    const allowed = new Set([from, ...projectOf(from).references]);
    return imports
      .filter((target) => !allowed.has(layerOf(target) ?? ''))
      .map((target) => complaint(path, 1, `imports ${target}`));
  });
  t.deepEqual(complaints, []);
});

test('imports form no cycle, types included', (t) => {
  const graph = new Map(sources.map(({ path, imports }) => [path, imports]));
  const done = new Set<string>();
  const cycles: string[] = [];
  const visit = (path: string, trail: readonly string[]): void => {
    const start = trail.indexOf(path);
    if (start >= 0) cycles.push([...trail.slice(start), path].join(' -> '));
    if (start >= 0 || done.has(path)) return;
    for (const next of graph.get(path) ?? []) visit(next, [...trail, path]);
    done.add(path);
  };
  for (const path of graph.keys()) visit(path, []);
  t.deepEqual(cycles, []);
});

test('nothing outside of test imports tests, and only test and tools import tools', (t) => {
  const complaints = sources.flatMap(({ path, imports }) =>
    imports
      .filter((target) => !mayImport(path, target))
      .map((target) => complaint(path, 1, `imports ${target}`)),
  );
  t.deepEqual(complaints, []);
});

function mayImport(path: string, target: string): boolean {
  const [from, to] = [path.split('/')[0], target.split('/')[0]];
  if (to === 'test') return from === 'test';
  if (to === 'tools') return from === 'test' || from === 'tools';
  return true;
}

test('every source file is reached from another, or is a place where something starts', (t) => {
  const reached = new Set(sources.flatMap(({ imports }) => imports));
  const started = new Set(
    sources.flatMap(({ strings, path }) =>
      strings
        .filter((text) => /^\.{1,2}\/.*\.js$/.test(text))
        .map((text) => join(path, '..', text).replace(/\.js$/, '.ts')),
    ),
  );
  const dead = sources
    .map(({ path }) => path)
    .filter((path) => !reached.has(path) && !started.has(path))
    .filter((path) => !path.endsWith('.test.ts') && ENTRY_POINTS[path] === undefined);
  t.deepEqual(dead, []);
});

test('the entry points named in the exceptions exist', (t) => {
  t.deepEqual(
    Object.keys(ENTRY_POINTS).filter((path) => !existsSync(join(ROOT, path))),
    [],
  );
});

test('the zone compiles without the types of Node or of a browser', (t) => {
  const wrong = layers
    .filter(({ folder, isZone }) => isZone !== (projectOf(folder).types.length === 0))
    .map(({ folder }) => folder);
  t.deepEqual(wrong, []);
});

/** What the compiler lets through although a replica could see a difference. */
const ZONE_BANS: readonly (readonly [RegExp, string])[] = [
  [/\bDate\b/g, 'a clock'],
  [/\bMath\s*\.\s*random\b/g, 'a random source'],
  [/\bperformance\b/g, 'a clock'],
  [/\bset(?:Timeout|Interval|Immediate)\b/g, 'a timer'],
  [/\bqueueMicrotask\b|\bPromise\b|\basync\b|\bawait\b/g, 'concurrency'],
  [/\bAtomics\s*\.\s*wait(?:Async)?\b/g, 'waiting for another thread'],
  [/\bIntl\b|\btoLocale\w*|\blocaleCompare\b/g, "the host's locale"],
  [/\.\s*stack\b(?!\w)(?=\s*[;,)\]}])/g, 'the text of a stack'],
  [/\bWeakRef\b|\bFinalizationRegistry\b|\bWeakMap\b|\bWeakSet\b/g, 'garbage collection'],
  [/\bMath\s*\.\s*(?:sin|cos|tan|exp|log|pow|cbrt|hypot)\w*/g, "the host's mathematics"],
];

test('the zone uses nothing whose result depends on the host', (t) => {
  const judged = zone.filter(({ path }) => ZONE_NAMES[path] === undefined);
  const complaints = judged.flatMap(({ path, code }) =>
    ZONE_BANS.flatMap(([pattern, what]) =>
      [...code.matchAll(pattern)].map((match) =>
        complaint(path, lineOf(code, match.index), `${match[0]}: ${what}`),
      ),
    ),
  );
  t.deepEqual(complaints, []);
});
