/**
 * Goal: unmodified Debian programs (xz, openssl, perl, a shell) compute on Lockstep what they
 * compute on QEMU.
 * Method: an image with their packages, a script that prints digests and results, both outputs
 * compared to the byte. `npm run bench -- debian` does the same with more work, for time.
 *
 * Skipped, with a message, where the images can't be had, or without QEMU.
 */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { debianImage, readImages } from '../support/debian.js';
import {
  DEBIAN_PACKAGES,
  DEBIAN_PHASES,
  debianScript,
  scriptOutput,
  SHORT_WORK,
} from '../support/debian-programs.js';
import { GuestMachine } from '../support/guest-machine.js';
import { findQemu, Qemu } from '../support/qemu.js';

const APPEND = 'console=ttyS0 quiet';
const STEP_LIMIT = 12_000_000_000n;
const QEMU_LIMIT_MS = 120_000;

test('programs of Debian packages write the same on Lockstep as on QEMU', async (t) => {
  const program = await findQemu();
  if (program === null) {
    t.log('skipped: qemu-system-riscv64 is not installed');
    t.pass();
    return;
  }
  const folder = await mkdtemp(join(tmpdir(), 'lockstep-binaries-'));
  t.teardown(() => rm(folder, { recursive: true }));
  const text = debianScript(SHORT_WORK);
  const image = await debianImage(t, { text, folder, packages: DEBIAN_PACKAGES });
  if (image === null) return;
  const files = ['-bios', image.bios, '-kernel', image.kernel, '-initrd', image.initrd];
  const machine = ['-cpu', 'rv64,sstc=true', '-m', '256M', ...files, '-append', APPEND];
  const qemu = new Qemu(program, machine);
  t.teardown(() => qemu.stop());
  const guest = new GuestMachine({
    images: await readImages(image),
    memoryBytes: 256 * 2 ** 20,
    append: APPEND,
  });
  t.deepEqual(guest.runToStop(STEP_LIMIT), { cause: 'power-off', status: 0 });
  const { output } = await qemu.exit(QEMU_LIMIT_MS);
  const ours = scriptOutput(guest.text);
  t.is(ours, scriptOutput(output));
  for (const name of DEBIAN_PHASES) t.regex(ours ?? '', new RegExp(`phase ${name} ends`));
  t.regex(ours ?? '', /is prime/);
  t.regex(ours ?? '', /\d+ letters, \d+ to \d+ of 2000\n/);
  t.regex(ours ?? '', /status 0$/);
});
