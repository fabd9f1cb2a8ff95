/**
 * The flags that describe a machine, as people know them from QEMU's virt, and the machine that
 * they describe. Shared by every command that builds one.
 *
 * What a machine gets from outside at power-on, the time of its clock and the seed of its random
 * numbers, is part of its description: a run keeps it in its log, and the nodes of a pair must be
 * told the same. Where it is not given, a run of its own takes it from the host, and a machine
 * that several commands must agree on takes it from the images.
 */

import { createHash, randomBytes } from 'node:crypto';
import { createReadStream, existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { LockstepError } from '../lib/base/error.js';
import { SECTOR_BYTES } from '../lib/device/disk.js';
import { readShared } from '../lib/host/shared-images.js';
import { defaultCacheFolder, IMAGE_NAME } from '../lib/host/image/image-place.js';
import type { ImageFile } from '../lib/host/log-store/meta.js';
import { DEFAULT_RATE, MAX_HARTS, RAM_BASE } from '../lib/machine/config.js';
import type { MachineConfig, MachineImages } from '../lib/machine/config.js';
import { DEFAULT_ENGINE, type EngineOptions } from '../lib/machine/engine.js';
import { isElf, parseElf } from '../lib/machine/elf.js';
import type { MachineSpec } from '../lib/node/machine-spec.js';
import type { Arguments, OptionTable } from './command.js';
import { NETWORK_OPTIONS, readCard, readTarget } from './network-flags.js';

const DEFAULT_MEMORY = '256M';
const SYSTEM_FIRMWARE = '/usr/lib/riscv64-linux-gnu/opensbi/generic/fw_dynamic.bin';
const SEED_BYTES = 32;
const DISK_PIECE_BYTES = 1 << 20;
const MAX_HOT_AFTER = 65_535;
/** What the clock of an agreed machine shows at power-on: 2025-01-01T00:00:00Z. */
const AGREED_RTC_SECONDS = 1_735_689_600n;

/** How guest code runs: the results, the machine's digest and its log don't depend on it. */
export const ENGINE_OPTIONS: OptionTable = {
  engine: {
    type: 'string',
    value: 'NAME',
    help: 'how guest code runs: compiler or interpreter; the results are equal (compiler)',
  },
  'hot-after': {
    type: 'string',
    value: 'N',
    help: `jumps to a place before the compiler takes it (${DEFAULT_ENGINE.hotAfter})`,
  },
};

export const MACHINE_OPTIONS: OptionTable = {
  bios: {
    type: 'string',
    value: 'FILE|none',
    help: 'firmware; none starts the kernel in M mode (OpenSBI, none for a bare-metal ELF)',
  },
  kernel: { type: 'string', value: 'FILE', help: 'ELF program or Linux Image' },
  initrd: { type: 'string', value: 'FILE', help: 'initial RAM file system' },
  append: { type: 'string', value: 'TEXT', help: 'kernel command line' },
  disk: {
    type: 'string',
    value: 'FILE',
    multiple: true,
    help: 'raw image of a disk, which is only read; may be given up to four times',
  },
  memory: { type: 'string', value: 'SIZE', help: `guest RAM (${DEFAULT_MEMORY})` },
  harts: { type: 'string', value: 'N', help: 'harts, 1 to 8 (1)' },
  parallel: {
    type: 'boolean',
    help: 'harts run on a thread each; without it they take turns on one',
  },
  rtc: {
    type: 'string',
    value: 'now|SECONDS',
    help: 'what the clock shows at power-on, seconds since 1970',
  },
  'rng-seed': {
    type: 'string',
    value: 'HEX|none',
    help: 'up to 32 bytes for the kernel in /chosen/rng-seed',
  },
  ...NETWORK_OPTIONS,
  ...ENGINE_OPTIONS,
};

/**
 * `own`: clock and seed come from the host. `agreed`: equal flags and images give equal machines,
 * as the nodes of a pair and a run that is to be repeated need it.
 */
export type MachineOrigin = 'own' | 'agreed';

/**
 * The machine that the flags describe. USAGE for flags that don't fit, IO for a file that can't
 * be read; what is in the files is looked at when the machine is built.
 */
export async function readMachine(args: Arguments, origin: MachineOrigin): Promise<MachineSpec> {
  const harts = args.integer('harts', 1, MAX_HARTS) ?? 1;
  const isParallel = args.flag('parallel');
  if (isParallel && harts === 1) {
    throw new LockstepError('USAGE', '--parallel needs two harts: give --harts N');
  }
  const kernel = readImage(args, 'kernel');
  const initrd = readImage(args, 'initrd');
  const bios = readFirmware(args, kernel);
  if (bios === null && kernel === null) {
    throw new LockstepError('USAGE', '--kernel FILE is needed, or --bios FILE alone');
  }
  const disks = await Promise.all(args.texts('disk').map(examineDisk));
  const append = args.text('append') ?? '';
  const images: MachineImages = {
    bios: bios?.bytes ?? null,
    kernel: kernel?.bytes ?? null,
    initrd: initrd?.bytes ?? null,
  };
  const config: MachineConfig = {
    memoryBytes: args.size('memory') ?? 256 * 2 ** 20,
    harts,
    schedule: isParallel ? 'parallel' : 'turns',
    append,
    initialRate: DEFAULT_RATE,
    rtcStartSeconds: readRtc(args, origin),
    rngSeed: readSeed(args, origin, [bios, kernel, initrd]),
    network: readCard(args),
    disks: disks.map(({ sizeBytes, file }) => ({ sizeBytes, sha256: file.sha256 })),
  };
  const imageFiles = [bios, kernel, initrd, ...disks]
    .filter((image) => image !== null)
    .map(({ file }) => file);
  return {
    config,
    images,
    diskBases: disks.map(({ file }) => file.path),
    imageFiles,
    network: readTarget(args),
    engine: readEngine(args),
    machineFactory: null,
  };
}

/** Errors: USAGE. */
export function readEngine(args: Arguments): EngineOptions {
  const engine = args.text('engine') ?? DEFAULT_ENGINE.engine;
  if (engine !== 'compiler' && engine !== 'interpreter') {
    throw new LockstepError('USAGE', `--engine: "${engine}" is neither compiler nor interpreter`);
  }
  const hotAfter = args.integer('hot-after', 1, MAX_HOT_AFTER);
  if (engine === 'interpreter' && hotAfter !== undefined) {
    throw new LockstepError('USAGE', "--hot-after is the compiler's, not the interpreter's");
  }
  return { engine, hotAfter: hotAfter ?? DEFAULT_ENGINE.hotAfter };
}

interface Image {
  readonly bytes: Uint8Array;
  readonly file: ImageFile;
}

function readImage(args: Arguments, role: 'kernel' | 'initrd'): Image | null {
  const path = args.text(role);
  return path === undefined ? null : loadImage(role, path);
}

/** Reads an image. Errors: IO. */
export function loadImage(role: ImageFile['role'], path: string): Image {
  let bytes: Uint8Array;
  try {
    bytes = readShared(path);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new LockstepError('IO', `the ${role} ${path} can't be read: ${reason}`, { path });
  }
  return { bytes, file: nameImage(role, path, bytes) };
}

/** An image's name in a log; its hash is taken when asked for, which a plain run never does. */
function nameImage(role: ImageFile['role'], path: string, bytes: Uint8Array): ImageFile {
  let hash: string | null = null;
  return {
    role,
    path: resolve(path),
    get sha256() {
      hash ??= sha256Of(bytes);
      return hash;
    },
  };
}

const sha256Of = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

interface DiskImage {
  readonly sizeBytes: number;
  readonly file: ImageFile;
}

/** Size and hash of a raw image, which may be too large to be read whole. Errors: IO, BAD_IMAGE. */
export async function examineDisk(path: string): Promise<DiskImage> {
  const hash = createHash('sha256');
  let sizeBytes = 0;
  try {
    for await (const piece of createReadStream(path, { highWaterMark: DISK_PIECE_BYTES })) {
      const bytes = piece as Buffer;
      hash.update(bytes);
      sizeBytes += bytes.length;
    }
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new LockstepError('IO', `the disk ${path} can't be read: ${reason}`, { path });
  }
  if (sizeBytes === 0 || sizeBytes % SECTOR_BYTES !== 0) {
    throw new LockstepError(
      'BAD_IMAGE',
      `the disk ${path} has ${sizeBytes} bytes: a raw image has whole sectors of ${SECTOR_BYTES}`,
      { path },
    );
  }
  return { sizeBytes, file: { role: 'disk', path: resolve(path), sha256: hash.digest('hex') } };
}

function readFirmware(args: Arguments, kernel: Image | null): Image | null {
  const given = args.text('bios');
  if (given === 'none') return null;
  if (given !== undefined) return loadImage('bios', given);
  if (kernel !== null && isBareMetal(kernel.bytes)) return null;
  const candidates = [SYSTEM_FIRMWARE, join(defaultCacheFolder(), IMAGE_NAME, 'fw_dynamic.bin')];
  const found = candidates.find((path) => existsSync(path));
  if (found !== undefined) return loadImage('bios', found);
  throw new LockstepError(
    'USAGE',
    'no OpenSBI firmware found: give --bios FILE, run `lockstep image`, or install the package ' +
      `opensbi; looked at ${candidates.join(' and ')}`,
  );
}

/** An ELF that is linked where firmware would be has nothing below it. */
function isBareMetal(kernel: Uint8Array): boolean {
  if (!isElf(kernel)) return false;
  const { segments } = parseElf(kernel, 'kernel');
  return segments.some(
    ({ address, memoryBytes }) =>
      address <= BigInt(RAM_BASE) && address + memoryBytes > BigInt(RAM_BASE),
  );
}

function readRtc(args: Arguments, origin: MachineOrigin): bigint {
  const text = args.text('rtc');
  if (text === undefined && origin === 'agreed') return AGREED_RTC_SECONDS;
  if (text !== undefined && text !== 'now') {
    const seconds = args.count('rtc') ?? 0n;
    if (seconds < 1n << 34n) return seconds;
    throw new LockstepError('USAGE', `--rtc ${text} is beyond what the clock can show`);
  }
  return BigInt(Math.floor(Date.now() / 1000));
}

function readSeed(
  args: Arguments,
  origin: MachineOrigin,
  images: readonly (Image | null)[],
): Uint8Array {
  const text = args.text('rng-seed');
  if (text === 'none') return new Uint8Array(0);
  if (text !== undefined) {
    if (/^([0-9a-f]{2}){1,32}$/i.test(text)) return new Uint8Array(Buffer.from(text, 'hex'));
    throw new LockstepError('USAGE', `--rng-seed: "${text}" is not 1 to 32 bytes in hexadecimal`);
  }
  if (origin === 'own') return new Uint8Array(randomBytes(SEED_BYTES));
  const hash = createHash('sha256').update('lockstep agreed seed\n');
  for (const image of images) {
    hash.update(image?.file.sha256 ?? sha256Of(new Uint8Array(0)), 'hex');
  }
  return new Uint8Array(hash.digest());
}
