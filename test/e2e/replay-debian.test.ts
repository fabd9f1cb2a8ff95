/**
 * Goal: a Debian boot with console input, entropy, re-bases and wakes, recorded once, replays in
 * other processes to equal hashes at every check, whatever the host does, and faults are found.
 * Method: the real command; the shell is typed at while it records. Replays with other compilers
 * of V8, under garbage-collection stress and beside processes that take all the time they get.
 *
 * Skipped, with a message, where Debian's images can't be had.
 */

import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { debianImage } from '../support/debian.js';
import { readLog, type WholeLog } from '../support/edited-log.js';
import { lockstep, LockstepProcess } from '../support/lockstep-process.js';
import { edits, faultsIn, replayEvents, replayWithFault } from '../support/replay-faults.js';

interface Recording {
  readonly directory: string;
  readonly stateLine: string;
  readonly log: WholeLog;
}

let folder: string | null = null;
let recording: Recording | null = null;

test.serial.before('record', async (t) => {
  t.timeout(600_000);
  const image = await debianImage(t);
  if (image === null) return;
  folder = mkdtempSync(join(tmpdir(), 'lockstep-debian-'));
  const directory = join(folder, 'log');
  const images = ['--bios', image.bios, '--kernel', image.kernel, '--initrd', image.initrd];
  const flags = ['--append', 'console=ttyS0', '--state-hash', '--log', directory];
  const command = new LockstepProcess(['record', ...images, ...flags]);
  await command.says('lockstep: shell begins');
  command.send('echo $((6 * 7)) and $(uname -m)\n');
  await command.says('42 and riscv64');
  command.send('head -c 64 /dev/hwrng | md5sum; date; sleep 1; echo slept\n');
  await command.says('\nslept');
  command.send('seq 1 3000 | sort -r | md5sum; exit\n');
  const { status, stdout, stderr } = await command.end();
  if (status !== 0) throw new Error(`recording ended with ${status}: ${stderr}`);
  const stateLine = /^state-hash .*$/m.exec(stdout)?.[0] ?? '';
  recording = { directory, stateLine, log: readLog(directory) };
});

test.after.always(() => {
  if (folder !== null) rmSync(folder, { recursive: true, force: true });
});

function recorded(t: { log: (text: string) => void; pass: () => void }): Recording | null {
  if (recording === null) {
    t.log('skipped: no Debian images');
    t.pass();
  }
  return recording;
}

test.serial('the recording has input, entropy, re-bases, wakes and page checks', (t) => {
  const boot = recorded(t);
  if (boot === null) return;
  const counts = new Map<string, number>();
  for (const { event } of boot.log.entries) {
    counts.set(event.kind, (counts.get(event.kind) ?? 0) + 1);
  }
  for (const kind of ['console-input', 'entropy', 'rebase', 'wake', 'interrupt', 'output-mark']) {
    t.true((counts.get(kind) ?? 0) > 0, kind);
  }
  t.true((counts.get('state-hash') ?? 0) > 500);
  t.log([...counts].map(([kind, count]) => `${kind} ${count}`).join(', '));
});

const HOSTS: Readonly<Record<string, readonly string[]>> = {
  'as it is': [],
  'with the baseline compiler only': ['--liftoff-only'],
  'without the baseline compiler': ['--no-liftoff'],
  'under stress of garbage collection': ['--random-gc-interval=20000'],
};

for (const [name, nodeFlags] of Object.entries(HOSTS)) {
  test.serial(`the boot replays to equal hashes, ${name}`, async (t) => {
    t.timeout(600_000);
    const boot = recorded(t);
    if (boot === null) return;
    const words = ['replay', '--log', boot.directory, '--state-hash'];
    const { status, stdout, stderr } = await lockstep(words, '', { nodeFlags });
    t.is(status, 0, stderr);
    t.is(stdout.trim(), boot.stateLine);
    t.log(stderr.trim());
  });
}

test.serial('the boot replays to equal hashes, on a loaded machine', async (t) => {
  t.timeout(600_000);
  const boot = recorded(t);
  if (boot === null) return;
  const load: ChildProcess[] = [];
  t.teardown(() => load.forEach((child) => child.kill('SIGKILL')));
  for (let index = 0; index < 2 * cpus().length; index++) {
    load.push(spawn(process.execPath, ['-e', 'for (;;);'], { stdio: 'ignore' }));
  }
  const words = ['replay', '--log', boot.directory, '--state-hash'];
  const { status, stdout, stderr } = await lockstep(words);
  t.is(status, 0, stderr);
  t.is(stdout.trim(), boot.stateLine);
});

test.serial('a deleted or moved entry of the boot is found', async (t) => {
  t.timeout(600_000);
  const boot = recorded(t);
  if (boot === null) return;
  const { meta, entries } = boot.log;
  for (const kind of ['interrupt', 'output-mark', 'rebase', 'state-hash', 'horizon'] as const) {
    // Early ones: each replay has to come up to the next check only.
    const index = entries.findIndex(({ event }) => event.kind === kind);
    const near = entries.slice(0, index + 400);
    for (const [edit, events] of edits(near, index)) {
      const error = await replayEvents(meta, events);
      t.is(error?.code, 'DIVERGED', `${kind} ${edit}`);
    }
  }
});

test.serial('a flipped bit in the booting machine is found and named', async (t) => {
  t.timeout(600_000);
  const boot = recorded(t);
  if (boot === null) return;
  const { meta, entries } = boot.log;
  const check = entries.findIndex(({ event }) => event.kind === 'state-hash' && event.pages);
  const near = entries.slice(0, check + 1);
  for (const { fault, expected } of faultsIn(near)) {
    const error = await replayWithFault({ meta, entries: near }, fault);
    t.is(error?.code, 'DIVERGED', fault);
    t.regex(String(error?.fields['what']), expected, fault);
  }
});
