/**
 * Goal: an unmodified Debian boots, works and powers off on Lockstep as it does on QEMU.
 * Method: the images of `lockstep image`; a shell that is typed at, on both machines; a script
 * whose output must be the same on both to the byte.
 *
 * Skipped, with a message, where the images can't be had; the comparison also without QEMU.
 */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { debianImage, readImages } from '../support/debian.js';
import { GuestMachine } from '../support/guest-machine.js';
import { findQemu, Qemu } from '../support/qemu.js';
import type { DebianImage } from '../../lib/host/image/debian-image.js';

const MEMORY_BYTES = 256 * 2 ** 20;
const CONSOLE = 'console=ttyS0';
const PROMPT = /lockstep: shell begins[^]*\n# /;
/** A boot takes 1.4 thousand million steps. */
const STEP_LIMIT = 6_000_000_000n;
const QEMU_LIMIT_MS = 120_000;

/** Integers, floating point, processes, pipes, files, signals: no times and no addresses. */
const SCRIPT = String.raw`
uname -srm
seq 1 2000 | awk '{ s += sqrt($1) * $1 / 3 } END { printf "%.9f\n", s }'
seq 1 5000 | sort -r | md5sum
head -c 300000 /dev/zero | tr '\000' a | gzip -n | gunzip | sha256sum
for i in $(seq 40); do sh -c "exit $i"; echo $?; done | sha1sum
mount -t tmpfs tmpfs /mnt && mkdir /mnt/a && cp /bin/busybox /mnt/a/b && sha512sum /mnt/a/b
sleep 100 & kill $!; wait $!; echo "killed: $?"
echo 'scale = 40; 4 * a(1); sqrt(2)' | bc -l
exit 3
`;

function startQemu(program: string, image: DebianImage, append: string): Qemu {
  const images = ['-bios', image.bios, '-kernel', image.kernel, '-initrd', image.initrd];
  const machine = ['-cpu', 'rv64,sstc=true', '-m', '256M', ...images];
  return new Qemu(program, [...machine, '-append', append]);
}

async function findQemuOr(t: ExecutionContext): Promise<string | null> {
  const program = await findQemu();
  if (program === null) {
    t.log('skipped: qemu-system-riscv64 is not installed');
    t.pass();
  }
  return program;
}

test.serial('the images boot to a shell on QEMU, obey and power off', async (t) => {
  const image = await debianImage(t);
  const program = image === null ? null : await findQemuOr(t);
  if (image === null || program === null) return;
  const qemu = startQemu(program, image, CONSOLE);
  t.teardown(() => qemu.stop());
  await qemu.waitFor(PROMPT, QEMU_LIMIT_MS);
  qemu.send('echo $((6 * 7)) and $(uname -m)\n');
  await qemu.waitFor(/^42 and riscv64/m);
  qemu.send('exit\n');
  const { status, output } = await qemu.exit();
  t.is(status, 0);
  t.regex(output, /reboot: Power down/);
});

test.serial('the images boot to a shell on Lockstep, obey and power off', async (t) => {
  const image = await debianImage(t);
  if (image === null) return;
  const images = await readImages(image);
  const guest = new GuestMachine({ images, memoryBytes: MEMORY_BYTES, append: CONSOLE });
  const begun = performance.now();
  guest.runToText(PROMPT, STEP_LIMIT);
  const seconds = (performance.now() - begun) / 1000;
  const steps = Number(guest.machine.step(0));
  t.log(`shell after ${seconds.toFixed(1)} s, ${(steps / 1e6 / seconds).toFixed(0)} M steps/s`);
  guest.type('echo $((6 * 7)) and $(uname -m)\n');
  guest.runToText(/^42 and riscv64/m, STEP_LIMIT);
  guest.type('ls /sys/bus/virtio/drivers; head -c 20 /dev/hwrng | wc -c\n');
  guest.runToText(/virtio_rng[^]*\n20\r/, STEP_LIMIT);
  guest.type('exit\n');
  t.deepEqual(guest.runToStop(STEP_LIMIT), { cause: 'power-off', status: 0 });
});

test.serial('a script writes the same on Lockstep as on QEMU', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'lockstep-script-'));
  t.teardown(() => rm(folder, { recursive: true }));
  const image = await debianImage(t, { text: SCRIPT, folder });
  const program = image === null ? null : await findQemuOr(t);
  if (image === null || program === null) return;
  const append = `${CONSOLE} quiet`;
  const qemu = startQemu(program, image, append);
  t.teardown(() => qemu.stop());
  const guest = new GuestMachine({
    images: await readImages(image),
    memoryBytes: MEMORY_BYTES,
    append,
  });
  guest.runToStop(STEP_LIMIT);
  const { output } = await qemu.exit(QEMU_LIMIT_MS);
  const ours = commandOutput(guest.text);
  t.is(ours, commandOutput(output));
  t.regex(ours, /killed: 143\n3\.14159[^]*status 3$/);
});

/** What the script wrote, with the status they ended with. */
function commandOutput(text: string): string {
  const found = /lockstep: script begins([^]*script ended with status \d+)/.exec(text);
  return (found?.[1] ?? `nothing in:\n${text}`).replaceAll('\r', '');
}
