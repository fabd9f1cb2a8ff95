/**
 * Goal: with `--ack durable` whatever a client has seen is on the disks of both nodes, so that a
 * copy of either's files gives back a machine that is no older; and the machine goes on from them.
 * Method: a pair under load; the log directories are copied at some moment, both nodes are killed,
 * and each copy is replayed, disk included.
 */

import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { present } from '../../lib/base/assert.js';
import { DISK_GUEST_BYTES, diskGuest, diskGuestContent } from '../support/disk-guest.js';
import { LEDGER, lockstep, LOCKSTEP } from '../support/lockstep-process.js';
import { ledgerLine, PairFixture } from '../support/pair.js';

test('whatever a client has seen is in the files of both nodes when it sees it', async (t) => {
  const writes = 32_768;
  const machine: string[] = [];
  const fixture = new PairFixture(t, LOCKSTEP, machine);
  const kernel = join(fixture.folder, 'guest.elf');
  const image = join(fixture.folder, 'base.img');
  writeFileSync(kernel, diskGuest(writes));
  writeFileSync(image, Buffer.alloc(DISK_GUEST_BYTES, 'an image to begin with; '));
  const parts = ['--bios', 'none', '--kernel', kernel, '--memory', '2M', '--disk', image];
  machine.push(...parts, '--ack', 'durable', '--suspect-ms', '3000');
  const { primary, backup } = await fixture.pair();
  const console = await fixture.console([primary, backup], false);
  await console.line(2);
  const seen = console.lines.slice(0, 3);
  const copies = [1, 2].map((node) => {
    const copy = join(fixture.folder, `copy-${node}`);
    mkdirSync(copy);
    cpSync(join(fixture.folder, `node-${node}`, 'log-1'), join(copy, 'log'), { recursive: true });
    return copy;
  });
  primary.signal('SIGKILL');
  backup.signal('SIGKILL');
  for (const copy of copies) {
    const snapshot = join(copy, 'snapshot');
    const words = ['replay', '--log', join(copy, 'log'), '--output', '--snapshot', snapshot];
    const replayed = await lockstep(words);
    t.is(replayed.status, 0, replayed.stderr);
    t.deepEqual(replayed.stdout.split('\n').slice(0, 3), seen);
  }
  // The machine goes on from there, in another life, to the same end.
  const start = [
    '--restore',
    join(present(copies[1], 'copy'), 'snapshot'),
    '--machine-id',
    'again',
  ];
  const again = fixture.primary(...start);
  t.is(await again.exit(), 0, again.stderr.join('\n'));
  const exported = join(fixture.folder, 'exported.img');
  const overlay = join(fixture.folder, 'node-3', 'disks-1', 'disk-0.overlay');
  t.is((await lockstep(['disk', 'export', overlay, '--output', exported])).status, 0);
  const model = diskGuestContent(readFileSync(image), writes);
  t.true(readFileSync(exported).equals(model));
});

test('a pair with durable acknowledgements survives the death of its primary as others do', async (t) => {
  const fixture = new PairFixture(t);
  const { primary, backup } = await fixture.pair('--ack', 'durable', '--suspect-ms', '3000');
  const console = await fixture.console([primary, backup]);
  for (let count = 1; count <= 20; count++) console.send(`${count}\n`);
  await console.line(9);
  primary.signal('SIGKILL');
  await backup.heard('serves');
  for (let count = 21; count <= 30; count++) console.send(`${count}\n`);
  await console.line(29);
  t.deepEqual(
    console.lines.slice(0, 30),
    Array.from({ length: 30 }, (_, index) => ledgerLine(index + 1)),
  );
});

test('durable acknowledgements need a place for the log', async (t) => {
  const words = ['primary', '--kernel', LEDGER, '--memory', '16M', '--arbiter', 'file:/tmp'];
  const nowhere = await lockstep([...words, '--ack', 'durable']);
  t.is(nowhere.status, 2);
  t.regex(nowhere.stderr, /give --state-dir/);
  const unknown = await lockstep([...words, '--ack', 'sometimes']);
  t.is(unknown.status, 2);
  t.regex(unknown.stderr, /--ack/);
});
