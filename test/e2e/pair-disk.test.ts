/**
 * Goal: the disks of a pair are equal to the byte, whoever dies and whoever joins, and a replica
 * whose disk is damaged is found.
 * Method: real processes with a guest that writes and reads all over its disk; at the end each
 * node's disk against a model of what the guest wrote, and against what the logs replay to.
 */

import { execFileSync } from 'node:child_process';
import {
  closeSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import {
  DISK_GUEST_BYTES,
  DISK_GUEST_LINES,
  diskGuest,
  diskGuestContent,
  overlayOf,
} from '../support/disk-guest.js';
import { lockstep, LOCKSTEP } from '../support/lockstep-process.js';
import { PairFixture, until, type ConsoleLog, type NodeProcess } from '../support/pair.js';

/** In one round; the guest makes the same writes again until it is told to end. */
const WRITES = 16_384;
const PATIENCE_MS = 120_000;

interface Bench {
  readonly fixture: PairFixture;
  /** The content that the disk must have in the end. */
  readonly model: Buffer;
  /** Folder of the n-th node started, from 1. */
  readonly state: (node: number) => string;
  /** Exports the newest overlay of a node. */
  readonly diskOf: (node: number) => Promise<Buffer>;
  readonly exported: (overlay: string) => Promise<Buffer>;
}

function bench(t: ExecutionContext): Bench {
  const machine: string[] = [];
  const fixture = new PairFixture(t, LOCKSTEP, machine);
  const kernel = join(fixture.folder, 'guest.elf');
  const image = join(fixture.folder, 'base.img');
  const base = Buffer.alloc(DISK_GUEST_BYTES, 'an image to begin with; ');
  writeFileSync(kernel, diskGuest(WRITES, 'until-input'));
  writeFileSync(image, base);
  machine.push('--bios', 'none', '--kernel', kernel, '--memory', '2M', '--disk', image);
  // A death shows by its closed connection at once; silence on a busy machine is none.
  machine.push('--suspect-ms', '3000');
  const state = (node: number): string => join(fixture.folder, `node-${node}`);
  const exported = async (overlay: string): Promise<Buffer> => {
    const output = join(fixture.folder, 'exported.img');
    rmSync(output, { force: true });
    const { status, stderr } = await lockstep(['disk', 'export', overlay, '--output', output]);
    t.is(status, 0, stderr);
    return readFileSync(output);
  };
  const diskOf = (node: number): Promise<Buffer> => exported(overlayOf(state(node)));
  return { fixture, model: diskGuestContent(base, WRITES), state, diskOf, exported };
}

/** Waits for as many lines as a round has: the disk has all of it then. */
async function wholeRound(console: ConsoleLog): Promise<void> {
  await console.line(console.lines.length + DISK_GUEST_LINES);
}

async function ended(t: ExecutionContext, ...nodes: readonly NodeProcess[]): Promise<void> {
  for (const node of nodes) {
    await until('the end of a node', () => node.child.exitCode !== null, PATIENCE_MS);
    t.is(await node.exit(), 0, node.stderr.join('\n'));
  }
}

test('after a clean end both disks hold what the guest wrote', async (t) => {
  const { fixture, model, diskOf } = bench(t);
  const { primary, backup } = await fixture.pair();
  const console = await fixture.console([primary]);
  await wholeRound(console);
  console.send('q');
  await ended(t, primary, backup);
  t.true((await diskOf(1)).equals(model));
  t.true((await diskOf(2)).equals(model));
});

test('the primary dies in the middle of writing, twice: no byte is lost or doubled', async (t) => {
  const { fixture, model, diskOf, state, exported } = bench(t);
  const { primary, backup } = await fixture.pair();
  const console = await fixture.console([primary, backup], false);
  await console.line(1);
  primary.signal('SIGKILL');
  await backup.heard('goes on');
  const third = await fixture.backup([backup]);
  await backup.heard('protecting -> protected');
  const lines = console.lines.length;
  await console.line(lines + 1);
  backup.signal('SIGKILL');
  await third.heard('serves');
  const ending = await fixture.console([third]);
  await wholeRound(ending);
  ending.send('q');
  await ended(t, third);
  t.true((await diskOf(3)).equals(model), 'the disk of the last primary');

  const overlay = join(fixture.folder, 'replayed');
  const logs = ['--log', join(state(1), 'log-1'), '--then', join(state(2), 'log-1')];
  const first = await lockstep(['replay', ...logs, '--state-hash']);
  t.is(first.status, 0, first.stderr);
  const log = join(state(3), newestLog(state(3)));
  const last = await lockstep(['replay', '--log', log, '--disk-overlay', overlay]);
  t.is(last.status, 0, last.stderr);
  t.true((await exported(overlay)).equals(model), 'the log that begins with a joined machine');
});

test('a backup that dies while the machine is copied to it costs nothing; the next joins', async (t) => {
  const { fixture, model, diskOf } = bench(t);
  const primary = fixture.primary();
  const console = await fixture.console([primary], false);
  // Far enough that a new backup is given a copy, and not the log from its beginning.
  await console.line(100);
  const first = await fixture.backup([primary]);
  await first.heard('greeting -> loading');
  first.signal('SIGKILL');
  const second = await fixture.backup([primary]);
  await primary.heard('protecting -> protected');
  const copied = await primary.heard('machine copied');
  t.log(`rounds ${String(copied['rounds'])}, stop of ${String(copied['stopMs'])} ms`);
  const lines = console.lines.length;
  await console.line(lines);
  primary.signal('SIGKILL');
  await second.heard('serves');
  const ending = await fixture.console([second]);
  await wholeRound(ending);
  ending.send('q');
  await ended(t, second);
  t.true((await diskOf(3)).equals(model));
});

test('a replica whose disk is damaged is found and stopped, and the primary goes on', async (t) => {
  const { fixture, model, diskOf, state } = bench(t);
  const { primary, backup } = await fixture.pair();
  const console = await fixture.console([primary], false);
  await console.line(1);
  spoil(overlayOf(state(2)));
  t.is(await backup.exit(), 9);
  await backup.heard('diverged');
  const ending = await fixture.console([primary]);
  await wholeRound(ending);
  ending.send('q');
  await ended(t, primary);
  t.true((await diskOf(1)).equals(model));
});

test('a host that can write no more ends its node, and the guest goes on on the other', async (t) => {
  const { fixture, model, diskOf } = bench(t);
  const { primary, backup } = await fixture.pair();
  const console = await fixture.console([primary, backup], false);
  await console.line(1);
  // Beyond this size a write fails, as on a disk that is full; the log stays far below it.
  const limit = ['--pid', String(primary.child.pid), `--fsize=${DISK_GUEST_BYTES / 2}`];
  execFileSync('prlimit', limit);
  t.is(await primary.exit(), 11);
  t.regex(primary.stderr.join('\n'), /IO: cannot write .*disk-0\.overlay/);
  await backup.heard('serves');
  const ending = await fixture.console([backup]);
  await wholeRound(ending);
  ending.send('q');
  await ended(t, backup);
  t.true((await diskOf(2)).equals(model));
});

function newestLog(state: string): string {
  const numbers = readdirSync(state).map((name) => Number(/^log-(\d+)$/.exec(name)?.[1] ?? 0));
  return `log-${Math.max(...numbers)}`;
}

/** Changes every block that is written in the second half of the disk. */
function spoil(overlay: string): void {
  const blocks = Math.ceil(DISK_GUEST_BYTES / 4096);
  const data = 4096 + Math.ceil(blocks / 4096) * 4096;
  const states = readFileSync(overlay).subarray(4096, 4096 + blocks);
  const fd = openSync(overlay, 'r+');
  for (const [block, blockState] of states.entries()) {
    if (blockState !== 1 || block < blocks / 2) continue;
    for (let sector = 0; sector < 8; sector++) {
      writeSync(fd, Buffer.from([0xee]), 0, 1, data + block * 4096 + sector * 512);
    }
  }
  closeSync(fd);
}
