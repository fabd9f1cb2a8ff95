/**
 * `lockstep image`: fetches and builds what boots Debian 13 for riscv64.
 *
 * The answer, on standard output, is the three paths (or the manifest, with --json); progress and
 * notes go to standard error, so that a script can use the answer as it is.
 */

import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { LockstepError } from '../../lib/base/error.js';
import type { Reporter } from '../../lib/host/image/debian-archive.js';
import { buildDebianImage } from '../../lib/host/image/debian-image.js';
import { defaultCacheFolder, IMAGE_NAME } from '../../lib/host/image/image-place.js';
import { DEBIAN_KEYRING } from '../../lib/host/image/release.js';
import type { Arguments, Command } from '../command.js';

export const image: Command = {
  usage: ['image [--packages A,B] [--root-disk SIZE] [--script FILE] [--output DIR]'],
  description:
    'Fetches the kernel, OpenSBI and busybox of Debian 13 for riscv64 from the Debian mirror that ' +
    'apt on this machine is configured with, verifies them against the signed index, and builds ' +
    'an initial RAM file system that runs a script or a shell and then switches the machine off. ' +
    'What is there already is not fetched again.\n' +
    'With --root-disk the guest lives on an ext4 disk instead, made without root by e2fsprogs: ' +
    'its packages are unpacked but not configured, and its init does the same.\n' +
    'In the guest, lockstep.run="COMMANDS" on the kernel command line runs commands instead.',
  options: {
    mirror: { type: 'string', value: 'URL', help: "a Debian mirror (default: apt's)" },
    cache: { type: 'string', value: 'DIR', help: 'where downloads are kept (~/.cache/lockstep)' },
    output: { type: 'string', value: 'DIR', help: `where the images go (CACHE/${IMAGE_NAME})` },
    packages: {
      type: 'string',
      value: 'A,B',
      help: 'Debian packages to put into the guest, with what they depend on; not configured',
    },
    'root-disk': {
      type: 'string',
      value: 'SIZE',
      help: 'make a root disk of that size; packages and script go there',
    },
    script: { type: 'string', value: 'FILE', help: 'a busybox script to run instead of a shell' },
    keyring: { type: 'string', value: 'FILE', help: `keys of the archive (${DEBIAN_KEYRING})` },
    refresh: { type: 'boolean', help: 'look for newer packages even if an image is there' },
    json: { type: 'boolean', help: 'print the manifest as JSON' },
  },
  async run(args: Arguments): Promise<number> {
    const cacheFolder = resolve(args.text('cache') ?? defaultCacheFolder());
    const scriptFile = args.text('script');
    const rootDiskBytes = args.size('root-disk') ?? null;
    const folderName = rootDiskBytes === null ? IMAGE_NAME : `${IMAGE_NAME}-root`;
    const reporter = new TerminalReporter(process.stderr);
    const built = await buildDebianImage(
      {
        mirror: args.text('mirror') ?? null,
        cacheFolder,
        outputFolder: resolve(args.text('output') ?? join(cacheFolder, folderName)),
        keyring: args.text('keyring') ?? DEBIAN_KEYRING,
        rootDiskBytes,
        packages: [...new Set(args.list('packages'))].sort(),
        script: scriptFile === undefined ? null : await readScript(scriptFile),
        refresh: args.flag('refresh'),
      },
      reporter,
    ).finally(() => reporter.end());
    const { kernel, bios, initrd, disk, manifest } = built;
    if (args.flag('json')) {
      process.stdout.write(
        `${JSON.stringify({ kernel, bios, initrd, disk, manifest }, null, 2)}\n`,
      );
    } else {
      const onDisk = disk === null ? '' : ` --disk ${disk} --append root=/dev/vda`;
      process.stdout.write(`--bios ${bios} --kernel ${kernel} --initrd ${initrd}${onDisk}\n`);
    }
    return 0;
  },
};

async function readScript(path: string): Promise<Uint8Array> {
  try {
    return await readFile(path);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new LockstepError('IO', `--script: ${why}`);
  }
}

const PROGRESS_PERIOD_MS = 200;
const MEGABYTE = 1e6;

/** One line a stage; on a terminal the line also counts up. */
class TerminalReporter implements Reporter {
  private readonly stream: NodeJS.WriteStream;
  private current = '';
  private shownAtMs = 0;
  private lineIsOpen = false;

  constructor(stream: NodeJS.WriteStream) {
    this.stream = stream;
  }

  stage(text: string): void {
    this.end();
    this.current = text;
    this.shownAtMs = 0;
    this.stream.write(this.stream.isTTY ? text : `${text}\n`);
    this.lineIsOpen = this.stream.isTTY;
  }

  progress(doneBytes: number, totalBytes: number): void {
    const nowMs = performance.now();
    const isDone = doneBytes >= totalBytes;
    if (!this.lineIsOpen || (!isDone && nowMs - this.shownAtMs < PROGRESS_PERIOD_MS)) return;
    this.shownAtMs = nowMs;
    const megabytes = (bytes: number): string => (bytes / MEGABYTE).toFixed(1);
    const percent = Math.floor((100 * doneBytes) / totalBytes);
    const amount = `${megabytes(doneBytes)} of ${megabytes(totalBytes)} MB (${percent} %)`;
    this.stream.write(`\r${this.current}: ${amount}`);
  }

  note(text: string): void {
    this.end();
    this.stream.write(`note: ${text}\n`);
  }

  /** Closes an open line. */
  end(): void {
    if (this.lineIsOpen) this.stream.write('\n');
    this.lineIsOpen = false;
  }
}
