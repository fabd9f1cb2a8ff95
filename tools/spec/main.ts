/**
 * `npm run spec`: lists the promises of docs/SPECIFICATION.md, or shows one of them to be kept.
 *
 *   npm run spec                 every promise with its figure and the value last measured
 *   npm run spec -- --json       the same for a program
 *   npm run spec -- ID...        runs the command of each; the exit status is the first failure's
 *   npm run spec -- all          runs every command there is
 *
 * A promise without a command counts as not kept: status 1.
 */

import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { EXIT_STATUS, LockstepError } from '../../lib/base/error.js';
import { nearestName } from '../command.js';
import { parseSpecification, PENDING, type SpecificationItem } from './specification.js';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));

async function main(words: readonly string[]): Promise<number> {
  const items = parseSpecification(await readFile(`${ROOT}docs/SPECIFICATION.md`, 'utf8'));
  if (words.length === 0) {
    process.stdout.write(listing(items));
    return 0;
  }
  if (words[0] === '--json') {
    process.stdout.write(`${JSON.stringify(items, null, 2)}\n`);
    return 0;
  }
  const wanted = words[0] === 'all' ? items : words.map((id) => find(items, id));
  let status = 0;
  for (const item of wanted) {
    const own = await show(item);
    if (status === 0) status = own;
  }
  return status;
}

function listing(items: readonly SpecificationItem[]): string {
  const width = Math.max(...items.map(({ id }) => id.length));
  const lines: string[] = [];
  let section = '';
  for (const item of items) {
    if (item.section !== section) lines.push('', item.section);
    section = item.section;
    lines.push(`  ${item.id.padEnd(width)}  ${item.figure}  [${item.measured}]`);
  }
  const pending = items.filter(({ command }) => command === null).length;
  lines.push('', `${items.length} promises, ${pending} of them ${PENDING}`);
  return `${lines.join('\n').trimStart()}\n`;
}

function find(items: readonly SpecificationItem[], id: string): SpecificationItem {
  const found = items.find((item) => item.id === id);
  if (found !== undefined) return found;
  const ids = items.map((item) => item.id);
  const hint = nearestName(id, ids);
  const suggestion = hint === undefined ? '`npm run spec` lists them' : `did you mean ${hint}?`;
  throw new LockstepError('USAGE', `no promise "${id}"; ${suggestion}`);
}

/** Runs one command with its output shown; resolves to its exit status. */
async function show(item: SpecificationItem): Promise<number> {
  process.stdout.write(`${item.id}: ${item.promise} (${item.figure})\n`);
  if (item.command === null) {
    process.stdout.write(`${item.id}: ${PENDING}\n`);
    return 1;
  }
  process.stdout.write(`$ ${item.command}\n`);
  const status = await run(item.command);
  process.stdout.write(`${item.id}: ${status === 0 ? 'kept' : `falls short (status ${status})`}\n`);
  return status;
}

function run(command: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const path = `${ROOT}node_modules/.bin:${process.env['PATH'] ?? ''}`;
    const child = spawn('bash', ['-euo', 'pipefail', '-c', command], {
      cwd: ROOT,
      env: { ...process.env, PATH: path },
      stdio: 'inherit',
    });
    child.on('error', reject);
    child.on('close', (code) => {
      resolve(code ?? 1);
    });
  });
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof LockstepError)) throw error;
  process.stderr.write(`spec: ${error.message}\n`);
  process.exitCode = EXIT_STATUS[error.code];
}
