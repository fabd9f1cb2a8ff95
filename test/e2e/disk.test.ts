/**
 * Goal: what a guest writes to its disk is there, exactly, in the run itself, after a power cycle,
 * and wherever its log is replayed; the image it began with is never written.
 * Method: a bare-metal guest that writes all over its disk, against a model of what it writes.
 */

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { DISK_GUEST_BYTES, diskGuest, diskGuestContent } from '../support/disk-guest.js';
import { lockstep } from '../support/lockstep-process.js';

const WRITES = 4096;

interface Bench {
  readonly folder: string;
  readonly machine: readonly string[];
  readonly base: Buffer;
  readonly image: string;
  readonly exported: (overlay: string) => Promise<Buffer>;
}

function bench(t: ExecutionContext): Bench {
  const folder = mkdtempSync(join(tmpdir(), 'lockstep-disk-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const kernel = join(folder, 'guest.elf');
  const image = join(folder, 'base.img');
  const base = Buffer.alloc(DISK_GUEST_BYTES, 'an image to begin with; ');
  writeFileSync(kernel, diskGuest(WRITES));
  writeFileSync(image, base);
  const machine = ['--bios', 'none', '--kernel', kernel, '--memory', '2M', '--disk', image];
  const exported = async (overlay: string): Promise<Buffer> => {
    const output = join(folder, 'exported.img');
    rmSync(output, { force: true });
    const { status, stderr } = await lockstep(['disk', 'export', overlay, '--output', output]);
    t.is(status, 0, stderr);
    return readFileSync(output);
  };
  return { folder, machine, base, image, exported };
}

test('a run leaves in its overlay what the guest wrote, and the image as it was', async (t) => {
  const { folder, machine, base, image, exported } = bench(t);
  const overlay = join(folder, 'overlay');
  const first = await lockstep(['run', ...machine, '--disk-overlay', overlay]);
  t.is(first.status, 0, first.stderr);
  const model = diskGuestContent(base, WRITES);
  t.true((await exported(overlay)).equals(model));
  t.true(readFileSync(image).equals(base));
  const again = await lockstep(['run', ...machine, '--disk-overlay', overlay]);
  t.is(again.status, 0, again.stderr);
  t.not(again.stdout, first.stdout, 'the second run reads what the first has written');
  t.true((await exported(overlay)).equals(model));
  const dropped = await lockstep(['run', ...machine]);
  t.is(dropped.stdout, first.stdout, 'without an overlay the disk begins as its image is');
});

test('a recording replays with its disk, and with another image it is refused', async (t) => {
  const { folder, machine, base, image, exported } = bench(t);
  const log = join(folder, 'log');
  const recorded = await lockstep(['record', '--log', log, ...machine, '--state-hash']);
  t.is(recorded.status, 0, recorded.stderr);
  const overlay = join(folder, 'replayed');
  const replay = ['replay', '--log', log, '--state-hash'];
  const replayed = await lockstep([...replay, '--disk-overlay', overlay]);
  t.is(replayed.status, 0, replayed.stderr);
  t.is(/state-hash .*/.exec(replayed.stdout)?.[0], /state-hash .*/.exec(recorded.stdout)?.[0]);
  t.true((await exported(overlay)).equals(diskGuestContent(base, WRITES)));
  const taken = await lockstep([...replay, '--disk-overlay', overlay]);
  t.is(taken.status, 2, taken.stderr);
  const other = join(folder, 'other.img');
  writeFileSync(other, Buffer.alloc(DISK_GUEST_BYTES, 1));
  const refused = await lockstep([...replay, '--disk', other]);
  t.is(refused.status, 3, refused.stderr);
  t.regex(refused.stderr, /not the disk of the recording/);
  t.true(readFileSync(image).equals(base));
});
