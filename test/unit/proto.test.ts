/**
 * Goal: the committed generated code, descriptor set and baseline are what the schema says.
 * Method: run buf again into a folder of the test's own and compare; check the schema against the
 * baseline of what peers in the field may speak.
 */

import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';

const ROOT = new URL('../../../', import.meta.url).pathname;

function buf(...args: string[]): string {
  return execFileSync(join(ROOT, 'node_modules/.bin/buf'), args, {
    cwd: ROOT,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

function folder(t: ExecutionContext): string {
  const path = mkdtempSync(join(tmpdir(), 'lockstep-buf-'));
  t.teardown(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

function filesBelow(path: string): Map<string, string> {
  const names = readdirSync(path, { recursive: true, encoding: 'utf8' });
  const files = names.filter((name) => name.endsWith('.ts')).sort();
  return new Map(files.map((name) => [name, readFileSync(join(path, name), 'utf8')]));
}

test('generated code is what buf generates', (t) => {
  const path = folder(t);
  buf('generate', '-o', path);
  const fresh = filesBelow(join(path, 'lib/rpc/generated'));
  t.true(fresh.size > 0);
  t.deepEqual(filesBelow(join(ROOT, 'lib/rpc/generated')), fresh);
});

test('the descriptor set that ships is what buf builds', (t) => {
  const path = join(folder(t), 'descriptor.binpb');
  buf('build', 'proto', '--exclude-source-info', '-o', path);
  t.deepEqual(readFileSync(join(ROOT, 'proto/descriptor.binpb')), readFileSync(path));
});

test('the schema keeps the rules of its style and breaks nobody who speaks the baseline', (t) => {
  t.notThrows(() => buf('lint'));
  t.notThrows(() => buf('breaking', 'proto', '--against', 'proto/baseline.binpb'));
});
