/**
 * Goal: a recording replays to the same state in another process, whatever the host does, and
 * every change of the log or of the machine is found and named.
 * Method: one recording of the embedded guest by the real command, typed at while it runs; replays
 * of it, of edited copies, and of a machine whose bits are flipped underneath it.
 */

import {
  cpSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { present } from '../../lib/base/assert.js';
import type { LogEvent } from '../../lib/event/event.js';
import { edits, faultsIn, replayEvents, replayWithFault } from '../support/replay-faults.js';
import { readLog, writeLog, type WholeLog } from '../support/edited-log.js';
import { LEDGER, lockstep, LockstepProcess } from '../support/lockstep-process.js';

const folder = mkdtempSync(join(tmpdir(), 'lockstep-replay-'));
const log = join(folder, 'log');
let stateLine = '';
let whole: WholeLog;

test.before(async () => {
  const flags = ['--memory', '32M', '--state-hash'];
  const command = new LockstepProcess(['record', '--log', log, '--kernel', LEDGER, ...flags]);
  await command.says('R 0 0 ');
  for (let number = 1; number <= 20; number++) {
    command.send(`T ${number} ${number * 7}\n`);
    await command.says(`A ${number} `);
  }
  command.send('B 2000\n');
  await command.says('B 2000');
  command.send('T 21 1\nB 0\n');
  await command.says('B 0');
  command.send('V\nX 3\n');
  const { status, stdout, stderr } = await command.end();
  if (status !== 3) throw new Error(`recording ended with ${status}: ${stderr}`);
  stateLine = /^state-hash .*$/m.exec(stdout)?.[0] ?? '';
  whole = readLog(log);
});

test.after.always(() => rmSync(folder, { recursive: true, force: true }));

/** A log directory of its own, to be spoiled. */
function copyOfLog(name: string): string {
  const copy = join(folder, name);
  cpSync(log, copy, { recursive: true });
  return copy;
}

function lastSegment(directory: string): string {
  const names = readdirSync(directory).filter((name) => /\d/.test(name));
  return join(directory, present(names.sort().at(-1), 'segment'));
}

test('the recording has input, wakes, interrupts, output, checks and horizons', (t) => {
  const kinds = new Set(whole.entries.map(({ event }) => event.kind));
  for (const kind of ['console-input', 'wake', 'interrupt', 'output-mark', 'state-hash'] as const) {
    t.true(kinds.has(kind), kind);
  }
  t.true(whole.entries.length > 100);
});

const HOSTS: Readonly<Record<string, readonly string[]>> = {
  'as it is': [],
  'with the baseline compiler only': ['--liftoff-only'],
  'without the baseline compiler': ['--no-liftoff'],
  'under stress of garbage collection': ['--random-gc-interval=500', '--stress-compaction'],
};

for (const [name, nodeFlags] of Object.entries(HOSTS)) {
  test(`a replay in another process ends in the same state, ${name}`, async (t) => {
    const { status, stdout, stderr } = await lockstep(
      ['replay', '--log', log, '--state-hash'],
      '',
      { nodeFlags },
    );
    t.is(status, 0, stderr);
    t.is(stdout.trim(), stateLine);
  });
}

test('a replay in the other engine ends in the same state', async (t) => {
  for (const engine of [
    ['--engine', 'interpreter'],
    ['--hot-after', '2'],
  ]) {
    const words = ['replay', '--log', log, '--state-hash', ...engine];
    t.is((await lockstep(words)).stdout.trim(), stateLine);
  }
});

test('a replay stops at an entry, or at a step, and answers as JSON', async (t) => {
  const toSeq = await lockstep(['replay', '--log', log, '--to-seq', '30', '--json']);
  t.like(JSON.parse(toSeq.stdout), { seq: '30', stopped: null });
  const toStep = await lockstep(['replay', '--log', log, '--to-step', '20000', '--json']);
  t.like(JSON.parse(toStep.stdout), { steps: '20000', stopped: null });
});

test('the output is the one that was recorded', async (t) => {
  const { stdout } = await lockstep(['replay', '--log', log, '--output']);
  t.regex(stdout, /^R 0 0 [0-9a-f]+\r?\nA 1 1 7 /);
  t.regex(stdout, /A 21 21 1471 /);
});

test('another image than the recorded one is refused', async (t) => {
  const other = join(folder, 'other.elf');
  writeFileSync(other, 'x');
  const { status, stderr } = await lockstep(['replay', '--log', log, '--kernel', other]);
  t.is(status, 3);
  t.regex(stderr, /is not the kernel of the recording/);
});

test('a log that ends in the middle of a batch replays up to there', async (t) => {
  const copy = copyOfLog('torn');
  const file = lastSegment(copy);
  truncateSync(file, statSync(file).size - 5);
  const { status, stdout, stderr } = await lockstep(['replay', '--log', copy, '--json']);
  t.is(status, 0, stderr);
  t.regex(stderr, /torn tail/);
  t.like(JSON.parse(stdout), { stopped: null });
});

test('a recorder that is killed leaves a log that replays', async (t) => {
  const killed = join(folder, 'killed');
  const flags = ['--memory', '32M', '--kernel', LEDGER];
  const command = new LockstepProcess(['record', '--log', killed, ...flags]);
  await command.says('R 0 0 ');
  command.send('T 1 5\n');
  await command.says('A 1 1 5 ');
  command.send('B 1000000\n');
  await command.says('B 1000000');
  command.kill('SIGKILL');
  await command.end();
  const { status, stdout, stderr } = await lockstep(['replay', '--log', killed, '--output']);
  t.is(status, 0, stderr);
  t.regex(stdout, /A 1 1 5 [0-9a-f]+\r?\nB 1000000/);
});

test('a recording that is interrupted ends in order', async (t) => {
  const directory = join(folder, 'interrupted');
  const flags = ['--memory', '32M', '--kernel', LEDGER];
  const command = new LockstepProcess(['record', '--log', directory, ...flags]);
  await command.says('R 0 0 ');
  command.kill('SIGINT');
  t.is((await command.end()).status, 130);
  const { entries } = readLog(directory);
  t.true(entries.some(({ event }) => event.kind === 'control' && event.action === 'power-off'));
  t.is((await lockstep(['replay', '--log', directory])).status, 0);
});

test('a directory that is not empty is refused for a recording', async (t) => {
  const { status, stderr } = await lockstep(['record', '--log', log, '--kernel', LEDGER]);
  t.is(status, 2);
  t.regex(stderr, /not empty/);
});

test('an edited log that is sound as a file ends with a report and status 9', async (t) => {
  const directory = join(folder, 'edited');
  const events = whole.entries.map(({ event }) => event);
  const at = events.findIndex(({ kind }) => kind === 'console-input');
  await writeLog(directory, whole.meta, events.toSpliced(at, 1));
  const { status, stderr } = await lockstep(['replay', '--log', directory]);
  t.is(status, 9);
  t.regex(
    stderr,
    /DIVERGED: replica differs at entry \d+, hart 0, step \d+: .* is .*, the log says/,
  );
});

/** Entries of each kind, a few spread over the log: trying all of them would take minutes. */
function samples(): number[] {
  const byKind = new Map<LogEvent['kind'], number[]>();
  whole.entries.forEach(({ event }, index) => {
    byKind.set(event.kind, [...(byKind.get(event.kind) ?? []), index]);
  });
  return [...byKind.values()].flatMap((indices) => [
    ...new Set([0, 0.3, 0.6, 0.99].map((part) => indices[Math.floor(part * indices.length)] ?? 0)),
  ]);
}

test('deleting an entry, or moving it by one step, is found by replay', async (t) => {
  const lastCheck = whole.entries.findLastIndex(({ event }) => event.kind === 'state-hash');
  for (const index of samples()) {
    // Nothing that follows the last check looks back at it.
    if (index >= lastCheck) continue;
    for (const [edit, events] of edits(whole.entries, index)) {
      const error = await replayEvents(whole.meta, events);
      t.is(
        error?.code,
        'DIVERGED',
        `${edit}, entry ${index + 1}: ${JSON.stringify(whole.entries[index]?.event.kind)}`,
      );
    }
  }
});

test('a flipped bit in a register, a CSR, a device or RAM is found and named', async (t) => {
  for (const { fault, expected } of faultsIn(whole.entries)) {
    const error = await replayWithFault(whole, fault);
    t.is(error?.code, 'DIVERGED', fault);
    t.regex(String(error?.fields['what']), expected, fault);
  }
});
