/**
 * The files behind a disk: the base image, opened for reading only, and the overlay file.
 *
 *   byte 0      a line of JSON: version, size and SHA-256 of the base image, and where it was
 *   byte 4096   the map, one byte a block (`BLOCK_STATE`), up to a multiple of 4096
 *   then        the data of block n, at n * 4096: the file has holes where nothing was written
 *
 * Data is written before the map says that it is there. An overlay without a name is a file that
 * is removed at once and lives as long as it is open. A call that fails throws IO, which ends the
 * node: the other side of a pair has its own files and goes on.
 */

import { createHash, randomBytes } from 'node:crypto';
import {
  closeSync,
  existsSync,
  fdatasyncSync,
  fstatSync,
  ftruncateSync,
  openSync,
  readSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LockstepError } from '../base/error.js';
import { BLOCK_BYTES, BLOCK_STATE, Disk, type DiskStorage } from '../device/disk.js';
import { attempt } from './log-store/failure.js';

const HEADER_BYTES = 4096;
const FORMAT_VERSION = 1;

/** What a hart's worker needs to open a disk. Plain data. */
export interface DiskFiles {
  /** The base image: a raw image, whole sectors. */
  readonly base: string;
  readonly sizeBytes: number;
  /** SHA-256 of the base image, hexadecimal. */
  readonly sha256: string;
  /** The file for what is written; null for one that is gone when the machine is. */
  readonly overlay: string | null;
  /** True if the overlay may be there and goes on then; false if it must be new. */
  readonly goesOn: boolean;
  /** True if the guest's flush waits until the overlay is on stable storage. */
  readonly isDurable: boolean;
}

export interface OverlayHeader {
  readonly sizeBytes: number;
  readonly sha256: string;
  readonly base: string;
}

/** Errors: IO, BAD_IMAGE, USAGE. */
export function openDisk(files: DiskFiles): Disk {
  const base = attempt('cannot open', files.base, () => openSync(files.base, 'r'));
  const { size } = attempt('cannot examine', files.base, () => fstatSync(base));
  if (size !== files.sizeBytes) {
    throw new LockstepError(
      'BAD_IMAGE',
      `the disk ${files.base} has ${size} bytes, not ${files.sizeBytes}`,
      { path: files.base },
    );
  }
  const isThere = files.goesOn && files.overlay !== null && existsSync(files.overlay);
  const overlay = isThere ? reopen(files, files.overlay) : create(files);
  const storage = new FileStorage({ ...overlay, base, files });
  return new Disk(files.sizeBytes, storage, overlay.states);
}

interface OpenOverlay {
  readonly path: string;
  readonly fd: number;
  readonly states: Uint8Array;
}

export function blockCountOf(sizeBytes: number): number {
  return Math.ceil(sizeBytes / BLOCK_BYTES);
}

function dataStart(sizeBytes: number): number {
  return HEADER_BYTES + Math.ceil(blockCountOf(sizeBytes) / BLOCK_BYTES) * BLOCK_BYTES;
}

function create(files: DiskFiles): OpenOverlay {
  const isNamed = files.overlay !== null;
  const name = `lockstep-overlay-${randomBytes(8).toString('hex')}`;
  const path = files.overlay ?? join(tmpdir(), name);
  const fd = attempt('cannot create', path, () => openSync(path, 'wx+', 0o600));
  if (!isNamed) attempt('cannot remove', path, () => unlinkSync(path));
  const { sizeBytes, sha256, base } = files;
  const header = Buffer.alloc(HEADER_BYTES);
  const text = JSON.stringify({ lockstepOverlay: FORMAT_VERSION, sizeBytes, sha256, base });
  if (header.write(`${text}\n`) < text.length + 1) {
    throw new LockstepError('USAGE', `the path of the disk ${base} is too long`);
  }
  attempt('cannot write', path, () => {
    writeSync(fd, header, 0, header.length, 0);
    ftruncateSync(fd, dataStart(sizeBytes) + blockCountOf(sizeBytes) * BLOCK_BYTES);
  });
  return { path, fd, states: new Uint8Array(blockCountOf(sizeBytes)) };
}

function reopen(files: DiskFiles, path: string): OpenOverlay {
  const fd = attempt('cannot open', path, () => openSync(path, 'r+'));
  const header = readHeader(fd, path);
  if (header.sizeBytes !== files.sizeBytes || header.sha256 !== files.sha256) {
    throw new LockstepError(
      'BAD_IMAGE',
      `the overlay ${path} belongs to another base image than ${files.base}: it was ` +
        `${header.base}, SHA-256 ${header.sha256}`,
      { path },
    );
  }
  return { path, fd, states: readStates(fd, path, files.sizeBytes) };
}

/** Errors: IO, BAD_IMAGE if the file is no overlay. */
export function readHeader(fd: number, path: string): OverlayHeader {
  const header = Buffer.alloc(HEADER_BYTES);
  attempt('cannot read', path, () => readSync(fd, header, 0, HEADER_BYTES, 0));
  const damaged = new LockstepError('BAD_IMAGE', `${path} is not an overlay of a disk`, { path });
  const end = header.indexOf('\n');
  if (end < 0 || !header.subarray(0, end).includes('"lockstepOverlay"')) throw damaged;
  let parsed: unknown;
  try {
    parsed = JSON.parse(header.toString('utf8', 0, end));
  } catch {
    throw damaged;
  }
  const fields = new Map(
    Object.entries(typeof parsed === 'object' && parsed !== null ? parsed : {}),
  );
  const [version, sizeBytes, sha256, base] = ['lockstepOverlay', 'sizeBytes', 'sha256', 'base'].map(
    (name) => fields.get(name) as unknown,
  );
  if (version !== FORMAT_VERSION) {
    throw new LockstepError('BAD_IMAGE', `${path} is an overlay of version ${String(version)}`);
  }
  const isWhole =
    typeof sizeBytes === 'number' && typeof sha256 === 'string' && typeof base === 'string';
  if (!isWhole || !Number.isSafeInteger(sizeBytes) || sizeBytes <= 0) throw damaged;
  return { sizeBytes, sha256, base };
}

/** The map of an overlay. Errors: IO, BAD_IMAGE. */
export function readStates(fd: number, path: string, sizeBytes: number): Uint8Array {
  const states = new Uint8Array(blockCountOf(sizeBytes));
  attempt('cannot read', path, () => readWhole(fd, states, HEADER_BYTES));
  if (states.some((state) => state > BLOCK_STATE.zero)) {
    throw new LockstepError('BAD_IMAGE', `${path}: its map is damaged`, { path });
  }
  return states;
}

interface StorageParts {
  readonly path: string;
  readonly fd: number;
  readonly base: number;
  readonly files: DiskFiles;
}

class FileStorage implements DiskStorage {
  private readonly parts: StorageParts;
  private readonly dataStart: number;

  constructor(parts: StorageParts) {
    this.parts = parts;
    this.dataStart = dataStart(parts.files.sizeBytes);
  }

  readBase(offset: number, into: Uint8Array): void {
    const { base, files } = this.parts;
    attempt('cannot read', files.base, () => readWhole(base, into, offset));
  }

  readOverlay(offset: number, into: Uint8Array): void {
    const { fd, path } = this.parts;
    attempt('cannot read', path, () => readWhole(fd, into, this.dataStart + offset));
  }

  writeOverlay(offset: number, bytes: Uint8Array): void {
    const { fd, path } = this.parts;
    attempt('cannot write', path, () => writeWhole(fd, bytes, this.dataStart + offset));
  }

  writeMap(first: number, states: Uint8Array): void {
    const { fd, path } = this.parts;
    attempt('cannot write', path, () => writeWhole(fd, states, HEADER_BYTES + first));
  }

  /** A flush that fails is a write that is lost, so it is never tried again. */
  flush(): void {
    const { fd, path, files } = this.parts;
    if (files.isDurable) attempt('cannot flush', path, () => fdatasyncSync(fd));
  }
}

/** Fills `into`; what lies beyond the end of the file is zero. */
function readWhole(fd: number, into: Uint8Array, offset: number): void {
  let done = 0;
  while (done < into.length) {
    const count = readSync(fd, into, done, into.length - done, offset + done);
    if (count === 0) break;
    done += count;
  }
  into.fill(0, done);
}

function writeWhole(fd: number, bytes: Uint8Array, offset: number): void {
  let done = 0;
  while (done < bytes.length) {
    done += writeSync(fd, bytes, done, bytes.length - done, offset + done);
  }
}

/**
 * SHA-256 over the base image's hash and an overlay that is there, hexadecimal: the name of what
 * the two make. That of the base where nothing was written. Errors: IO, BAD_IMAGE.
 */
export function hashOverlay(path: string, baseSha256: string): string {
  const fd = attempt('cannot open', path, () => openSync(path, 'r'));
  try {
    const { sizeBytes } = readHeader(fd, path);
    const states = readStates(fd, path, sizeBytes);
    if (states.every((state) => state === BLOCK_STATE.base)) return baseSha256;
    const hash = createHash('sha256').update(baseSha256).update(states);
    const block = new Uint8Array(BLOCK_BYTES);
    for (const [index, state] of states.entries()) {
      if (state !== BLOCK_STATE.written) continue;
      const offset = dataStart(sizeBytes) + index * BLOCK_BYTES;
      attempt('cannot read', path, () => readWhole(fd, block, offset));
      hash.update(block);
    }
    return hash.digest('hex');
  } finally {
    closeSync(fd);
  }
}

/**
 * The whole content of the disk that an overlay and its base image make, in pieces. `base`
 * overrides where the header says that the base image is. Errors: IO, BAD_IMAGE.
 */
export function* readOverlaid(path: string, base: string | null): Generator<Uint8Array> {
  const overlay = attempt('cannot open', path, () => openSync(path, 'r'));
  try {
    const header = readHeader(overlay, path);
    const { sizeBytes } = header;
    const states = readStates(overlay, path, sizeBytes);
    const basePath = base ?? header.base;
    const fd = attempt('cannot open', basePath, () => openSync(basePath, 'r'));
    try {
      const files: DiskFiles = {
        base: basePath,
        sizeBytes,
        sha256: header.sha256,
        overlay: path,
        goesOn: true,
        isDurable: false,
      };
      const disk = new Disk(
        sizeBytes,
        new FileStorage({ path, fd: overlay, base: fd, files }),
        states,
      );
      const PIECE_SECTORS = 2048;
      for (let sector = 0; sector < disk.sectorCount; sector += PIECE_SECTORS) {
        const bytes = new Uint8Array(Math.min(PIECE_SECTORS, disk.sectorCount - sector) * 512);
        disk.read(sector, bytes);
        yield bytes;
      }
    } finally {
      closeSync(fd);
    }
  } finally {
    closeSync(overlay);
  }
}
