/**
 * Goal: Debian lives on a root disk that `lockstep image` made: it boots, writes, loses its power,
 * and finds what it wrote; the file system is sound; QEMU boots the same image.
 * Method: the real command with an overlay, e2fsck on the exported image, QEMU on a copy of it.
 *
 * Skipped, with a message, where the images can't be had.
 */

import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { present } from '../../lib/base/assert.js';
import { findProgram } from '../../lib/host/image/program.js';
import { debianImage, imageFlags } from '../support/debian.js';
import { lockstep } from '../support/lockstep-process.js';
import { findQemu, Qemu } from '../support/qemu.js';

const QEMU_LIMIT_MS = 120_000;
/** Reads what earlier boots have left, adds a line, and a file that is larger than a request. */
const COMMANDS =
  '[ -f /root/boots ] && cat /root/boots; echo boot >> /root/boots; head -c 3000000 /dev/zero | tr \\\\000 x > /root/big;' +
  ' sha1sum /root/big; redis-server --version | cut -c1-12; sync';
const BIG_SHA1 = createHash('sha1').update(Buffer.alloc(3_000_000, 'x')).digest('hex');
const EXPECTED = `${BIG_SHA1}  /root/big\nRedis server\n`;

test('a root disk keeps what the guest writes, through a power cycle and on QEMU', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'lockstep-root-'));
  t.teardown(() => rm(folder, { recursive: true }));
  const guest = { text: '', folder, packages: ['redis-server'], rootDiskBytes: 96 << 20 };
  const image = await debianImage(t, guest);
  if (image === null) return;
  const disk = present(image.disk, 'root disk');
  const append = `root=/dev/vda console=ttyS0 quiet lockstep.run="${COMMANDS}"`;
  const overlay = join(folder, 'overlay');
  const words = [
    'run',
    ...imageFlags(image),
    '--disk',
    disk,
    '--disk-overlay',
    overlay,
    '--append',
    append,
  ];
  for (const boots of ['', 'boot\n']) {
    const { status, stdout, stderr } = await lockstep(words);
    t.is(status, 0, stderr);
    t.is(outputOf(stdout), `${boots}${EXPECTED}`, stdout);
  }
  const exported = join(folder, 'exported.img');
  const { status, stderr } = await lockstep(['disk', 'export', overlay, '--output', exported]);
  t.is(status, 0, stderr);
  const e2fsck = present(await findProgram('e2fsck'), 'e2fsck, which made the disk');
  t.notThrows(() => execFileSync(e2fsck, ['-fn', exported], { stdio: 'pipe' }));

  const program = await findQemu();
  if (program === null) {
    t.log('not compared: qemu-system-riscv64 is not installed');
    return;
  }
  const qemu = new Qemu(program, [
    ...['-cpu', 'rv64,sstc=true', '-m', '256M', '-global', 'virtio-mmio.force-legacy=false'],
    ...['-bios', image.bios, '-kernel', image.kernel, '-initrd', image.initrd],
    ...['-drive', `file=${exported},format=raw,if=none,id=root`],
    ...['-device', 'virtio-blk-device,drive=root', '-append', append],
  ]);
  t.teardown(() => qemu.stop());
  const { output } = await qemu.exit(QEMU_LIMIT_MS);
  t.is(outputOf(output), `boot\nboot\n${EXPECTED}`, output);
});

/** What the commands wrote. */
function outputOf(text: string): string {
  const found = /lockstep: commands begin\r?\n([^]*)lockstep: commands ended with status 0/.exec(
    text,
  );
  const lines = (found?.[1] ?? `nothing in:\n${text}`).replaceAll('\r', '').split('\n');
  return lines.filter((line) => !/^\[ *\d+\.\d+\]/.test(line)).join('\n');
}
