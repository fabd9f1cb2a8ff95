/**
 * Builds what `lockstep run` needs to boot Debian 13 for riscv64: kernel, firmware and an initial
 * RAM file system, each file named with its hash in a manifest.
 *
 * The manifest is written last and lists every input, so a folder with a matching manifest is
 * complete and nothing is done twice. Equal packages and an equal script give equal bytes, which
 * is what lets two hosts build the images of one pair.
 */

import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { LockstepError } from '../../base/error.js';
import { configuredMirror } from './apt-sources.js';
import {
  fetchPackages,
  type FetchedPackage,
  type FetchedPackages,
  type Reporter,
} from './debian-archive.js';
import { isFile } from './download.js';
import {
  buildInitramfs,
  INITRAMFS_VERSION,
  WANTED_MODULES,
  type InitramfsParts,
} from './initramfs.js';
import { selectModules } from './kernel-modules.js';
import { extractEntries, extractPackage, type PackageEntry } from './package-archive.js';
import { buildRootDisk, ROOT_DISK_VERSION, type RootDiskParts } from './root-disk.js';

const KERNEL = 'Image';
const FIRMWARE = 'fw_dynamic.bin';
const INITRD = 'initrd.img';
const ROOT_DISK = 'root.img';
const MANIFEST = 'manifest.json';
const FIRMWARE_PATH = 'usr/lib/riscv64-linux-gnu/opensbi/generic/fw_dynamic.bin';
const BUSYBOX_PATH = 'usr/bin/busybox';
/** Nothing in the guest reads these; they would be most of what it unpacks. */
const DOCUMENTATION = /^usr\/share\/(doc|info|lintian|locale|man)\//;
/** An unpacked kernel has 31 MB. */
const MAX_KERNEL_BYTES = 256 * 2 ** 20;

export interface DebianImageOptions {
  /** Null takes the mirror apt is configured with. */
  readonly mirror: string | null;
  readonly cacheFolder: string;
  readonly outputFolder: string;
  readonly keyring: string;
  /** Debian packages to unpack in the guest, with what they depend on. */
  readonly packages: readonly string[];
  /** Size of a root disk, which then has packages and script; null keeps them in the initramfs. */
  readonly rootDiskBytes: number | null;
  /** A busybox script that init runs instead of a shell; null for the shell. */
  readonly script: Uint8Array | null;
  /** Ask the mirror for a newer release even where everything is there. */
  readonly refresh: boolean;
}

interface FileRecord {
  readonly sha256: string;
  readonly sizeBytes: number;
}

export interface ImageManifest {
  readonly format: 1;
  readonly release: string;
  /** "checked", or why the signature of the index was not. */
  readonly signature: string;
  readonly initramfsVersion: number;
  /** SHA-256 of the script, or null. */
  readonly script: string | null;
  /** Absent where there is no root disk. */
  readonly rootDisk?: { readonly version: number; readonly sizeBytes: number };
  /** Packages asked for beside kernel, firmware and busybox; absent for none. */
  readonly wanted?: readonly string[];
  readonly packages: Readonly<
    Record<string, { readonly version: string; readonly sha256: string }>
  >;
  readonly files: Readonly<Record<string, FileRecord>>;
}

/** A complete image: absolute or relative paths, as the folder was given. */
export interface DebianImage {
  readonly kernel: string;
  readonly bios: string;
  readonly initrd: string;
  /** The root disk, null for an image without one. */
  readonly disk: string | null;
  readonly manifest: ImageManifest;
}

function imageOf(folder: string, manifest: ImageManifest): DebianImage {
  return {
    manifest,
    disk: manifest.rootDisk === undefined ? null : join(folder, ROOT_DISK),
    kernel: join(folder, KERNEL),
    bios: join(folder, FIRMWARE),
    initrd: join(folder, INITRD),
  };
}

/** The image in `folder` if it is complete and undamaged, otherwise null. */
export async function findDebianImage(folder: string): Promise<DebianImage | null> {
  const text = await readFile(join(folder, MANIFEST), 'utf8').catch(() => null);
  const manifest = text === null ? null : parseManifest(text);
  if (manifest === null) return null;
  const disks = manifest.rootDisk === undefined ? [] : [ROOT_DISK];
  for (const name of [KERNEL, FIRMWARE, INITRD, ...disks]) {
    const record = manifest.files[name];
    if (record === undefined || !(await isFile(join(folder, name), record))) return null;
  }
  return imageOf(folder, manifest);
}

/** Finds or builds the image. Failures are USAGE, IO, BAD_IMAGE, INSECURE or MISSING_TOOL. */
export async function buildDebianImage(
  options: DebianImageOptions,
  reporter: Reporter,
): Promise<DebianImage> {
  const scriptHash = options.script === null ? null : sha256(options.script);
  if (!options.refresh) {
    const present = await findDebianImage(options.outputFolder);
    if (present !== null && isAsAskedFor(present.manifest, options, scriptHash)) return present;
  }
  try {
    return await buildAnew(options, scriptHash, reporter);
  } catch (error) {
    throw asFailure(error, options);
  }
}

function isAsAskedFor(
  manifest: ImageManifest,
  options: DebianImageOptions,
  scriptHash: string | null,
): boolean {
  return (
    manifest.script === scriptHash &&
    (manifest.wanted ?? []).join() === options.packages.join() &&
    manifest.initramfsVersion === INITRAMFS_VERSION &&
    (manifest.rootDisk?.version ?? ROOT_DISK_VERSION) === ROOT_DISK_VERSION &&
    (manifest.rootDisk?.sizeBytes ?? null) === options.rootDiskBytes
  );
}

async function buildAnew(
  options: DebianImageOptions,
  scriptHash: string | null,
  reporter: Reporter,
): Promise<DebianImage> {
  const mirror = options.mirror?.replace(/\/+$/, '') ?? (await configuredMirror());
  const { cacheFolder, keyring, refresh } = options;
  const wanted = options.packages;
  const packages = await fetchPackages(
    { mirror, cacheFolder, keyring, extra: wanted, refresh },
    reporter,
  );
  reporter.stage('unpacking');
  const { rootDiskBytes } = options;
  const extra = await guestFiles(packages.extra);
  const busyboxBytes = await busyboxOf(packages.busybox);
  const isOnDisk = rootDiskBytes !== null;
  const files = await assemble(packages, {
    busybox: busyboxBytes,
    extra: isOnDisk ? new Map() : extra,
    script: isOnDisk ? null : options.script,
  });
  reporter.stage('writing');
  await mkdir(options.outputFolder, { recursive: true });
  const records: Record<string, FileRecord> = {};
  for (const [name, bytes] of files) {
    await writeWhole(join(options.outputFolder, name), bytes);
    records[name] = { sha256: sha256(bytes), sizeBytes: bytes.length };
  }
  if (isOnDisk) {
    reporter.stage('root disk');
    const { script } = options;
    const parts = { sizeBytes: rootDiskBytes, busybox: busyboxBytes, files: extra, script };
    records[ROOT_DISK] = await writeRootDisk(join(options.outputFolder, ROOT_DISK), parts);
  }
  const { kernel, firmware, busybox } = packages;
  const all = [kernel, firmware, busybox, ...packages.extra];
  const manifest: ImageManifest = {
    format: 1,
    release: packages.release,
    signature: packages.unchecked ?? 'checked',
    initramfsVersion: INITRAMFS_VERSION,
    script: scriptHash,
    ...(wanted.length === 0 ? {} : { wanted }),
    ...(isOnDisk ? { rootDisk: { version: ROOT_DISK_VERSION, sizeBytes: rootDiskBytes } } : {}),
    packages: Object.fromEntries(
      all.map(({ name, version, expected }) => [name, { version, sha256: expected.sha256 }]),
    ),
    files: records,
  };
  const text = `${JSON.stringify(manifest, null, 2)}\n`;
  await writeWhole(join(options.outputFolder, MANIFEST), Buffer.from(text));
  return imageOf(options.outputFolder, manifest);
}

async function writeRootDisk(path: string, parts: RootDiskParts): Promise<FileRecord> {
  const temporary = `${path}.${process.pid}.part`;
  try {
    await buildRootDisk(temporary, parts);
    const hash = createHash('sha256');
    for await (const piece of createReadStream(temporary)) hash.update(piece as Buffer);
    await rename(temporary, path);
    return { sha256: hash.digest('hex'), sizeBytes: parts.sizeBytes };
  } finally {
    await rm(temporary, { force: true });
  }
}

async function busyboxOf({ file, name }: FetchedPackage): Promise<Uint8Array> {
  const files = await extractPackage(file, (path) => path === BUSYBOX_PATH);
  return take(files, BUSYBOX_PATH, name);
}

/** Kernel, firmware and initramfs, by name. */
async function assemble(
  packages: FetchedPackages,
  guest: Pick<InitramfsParts, 'busybox' | 'extra' | 'script'>,
): Promise<Map<string, Uint8Array>> {
  const { kernel, firmware } = packages;
  const fromFirmware = await extractPackage(firmware.file, (path) => path === FIRMWARE_PATH);
  const fromKernel = await extractPackage(
    kernel.file,
    (path) =>
      /^boot\/vmlinu[xz]-/.test(path) ||
      /^(usr\/)?lib\/modules\/[^/]+\/(modules\.builtin$|kernel\/.*\.ko)/.test(path),
  );
  const { image, kernelVersion } = takeKernel(fromKernel, kernel.name);
  const modules = await selectModules(
    modulePaths(fromKernel),
    takeText(fromKernel, /\/modules\.builtin$/),
    WANTED_MODULES,
  );
  const initrd = buildInitramfs({ ...guest, kernelVersion, modules });
  return new Map([
    [KERNEL, image],
    [FIRMWARE, take(fromFirmware, FIRMWARE_PATH, firmware.name)],
    [INITRD, initrd],
  ]);
}

/** What packages put into the guest; a path that two of them have is the later one's. */
async function guestFiles(
  packages: readonly FetchedPackage[],
): Promise<ReadonlyMap<string, PackageEntry>> {
  const files = new Map<string, PackageEntry>();
  for (const { file } of packages) {
    const entries = await extractEntries(file, (path) => !DOCUMENTATION.test(path));
    for (const [path, entry] of entries) files.set(path, entry);
  }
  return files;
}

function take(files: ReadonlyMap<string, Uint8Array>, path: string, name: string): Uint8Array {
  const bytes = files.get(path);
  if (bytes !== undefined) return bytes;
  throw new LockstepError('BAD_IMAGE', `the package ${name} has no ${path}`);
}

function takeText(files: ReadonlyMap<string, Uint8Array>, pattern: RegExp): string {
  for (const [path, bytes] of files) {
    if (pattern.test(path)) return Buffer.from(bytes).toString('utf8');
  }
  return '';
}

/** Modules by their path below lib/modules/VERSION. */
function modulePaths(files: ReadonlyMap<string, Uint8Array>): Map<string, Uint8Array> {
  const modules = new Map<string, Uint8Array>();
  for (const [path, bytes] of files) {
    const below = /lib\/modules\/[^/]+\/(kernel\/.*\.ko.*)$/.exec(path)?.[1];
    if (below !== undefined) modules.set(below, bytes);
  }
  return modules;
}

/**
 * The kernel as a RISC-V boot image (Documentation/arch/riscv/boot-image-header.rst): magic
 * numbers at 0x30 and 0x38. Packages have held it plain and gzipped; both are taken.
 */
function takeKernel(
  files: ReadonlyMap<string, Uint8Array>,
  name: string,
): { image: Uint8Array; kernelVersion: string } {
  for (const [path, bytes] of files) {
    const kernelVersion = /^boot\/vmlinu[xz]-(.*)$/.exec(path)?.[1];
    if (kernelVersion === undefined) continue;
    const packed = bytes[0] === 0x1f && bytes[1] === 0x8b;
    const image = packed ? gunzipSync(bytes, { maxOutputLength: MAX_KERNEL_BYTES }) : bytes;
    const magic = Buffer.from(image.subarray(0x30, 0x3c)).toString('latin1');
    if (magic === 'RISCV\0\0\0RSC\x05') return { image, kernelVersion };
    throw new LockstepError('BAD_IMAGE', `${path} in ${name} is not a RISC-V kernel image`);
  }
  throw new LockstepError('BAD_IMAGE', `the package ${name} has no kernel in boot/`);
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** Under its name the file is whole or not there. */
async function writeWhole(path: string, bytes: Uint8Array): Promise<void> {
  const temporary = `${path}.${process.pid}.part`;
  await writeFile(temporary, bytes);
  await rename(temporary, path);
}

function parseManifest(text: string): ImageManifest | null {
  try {
    const parsed: unknown = JSON.parse(text);
    const isManifest =
      typeof parsed === 'object' &&
      parsed !== null &&
      'format' in parsed &&
      parsed.format === 1 &&
      'files' in parsed &&
      typeof parsed.files === 'object' &&
      parsed.files !== null;
    return isManifest ? (parsed as ImageManifest) : null;
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}

/** Failures of the disk become IO with the folder in it; ours and defects pass. */
function asFailure(error: unknown, options: DebianImageOptions): unknown {
  if (error instanceof LockstepError) return error;
  if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'string') {
    return error;
  }
  if (error.code === 'ENOSPC' || error.code === 'EDQUOT') {
    const folders = `${options.cacheFolder} and ${options.outputFolder}`;
    return new LockstepError('IO', `no space left; ${folders} need 200 MB in all`);
  }
  return new LockstepError('IO', error.message, { code: error.code });
}
