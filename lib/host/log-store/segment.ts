/**
 * A segment: one file of a log, a header and then batches.
 *
 *    0  magic 'LSG1'              40  first seq          u64
 *    4  format version  u32       48  hash of the batch before the first (32 bytes)
 *    8  machine digest (32)       80  CRC-32 of bytes 0..79
 *
 * The header repeats what the file's place in the log implies, so that a file that is missing,
 * swapped or of another machine's log is noticed before a batch of it is read. Files are numbered
 * from 1 without gaps: `00000001.seg`.
 */

import { readSync } from 'node:fs';
import { ByteReader, ByteWriter, DecodeError } from '../../base/bytes.js';
import { crc32 } from '../../base/crc32.js';
import { FormatVersionError, HASH_BYTES, writtenLength } from '../../event/batch.js';
import { LOG_FORMAT_VERSION } from '../../event/event.js';
import type { LogStart } from './meta.js';

export const SEGMENT_HEADER_BYTES = 84;
/** Large enough that files are few, small enough to copy, delete and look into one by one. */
export const DEFAULT_SEGMENT_BYTES = 64 * 1024 * 1024;

const MAGIC = 0x3147534c;
const CRC_AT = 80;
const NAME_DIGITS = 8;

export interface SegmentHeader extends LogStart {
  readonly machineDigest: Uint8Array;
}

export function segmentName(index: number): string {
  return `${String(index).padStart(NAME_DIGITS, '0')}.seg`;
}

/** The number in a segment's file name, or null if it is not one. */
export function segmentIndex(name: string): number | null {
  const match = /^([0-9]{8,})\.seg$/.exec(name);
  return match === null ? null : Number(match[1]);
}

export function encodeSegmentHeader(header: SegmentHeader): Uint8Array {
  const out = new ByteWriter(SEGMENT_HEADER_BYTES);
  out.u32(MAGIC);
  out.u32(LOG_FORMAT_VERSION);
  out.raw(header.machineDigest);
  out.u64(header.firstSeq);
  out.raw(header.previousHash);
  out.u32(crc32(out.finish()));
  return out.finish();
}

/** Throws `DecodeError`, or `FormatVersionError` where the rest of the header is sound. */
export function decodeSegmentHeader(bytes: Uint8Array): SegmentHeader {
  const input = new ByteReader(bytes);
  if (input.u32() !== MAGIC) throw new DecodeError('not a log segment: magic missing');
  const version = input.u32();
  const machineDigest = input.raw(HASH_BYTES);
  const firstSeq = input.u64();
  const previousHash = input.raw(HASH_BYTES);
  if (input.u32() !== crc32(bytes.subarray(0, CRC_AT))) {
    throw new DecodeError('CRC of the segment header does not match');
  }
  if (version !== LOG_FORMAT_VERSION) throw new FormatVersionError(version);
  return { machineDigest, firstSeq, previousHash };
}

const WINDOW_BYTES = 1024 * 1024;

/**
 * Reads a file front to back in large pieces. Pieces are never reused, so what `read` returns
 * stays valid.
 */
export class FileWindow {
  private readonly fd: number;
  private window = new Uint8Array(0);
  private windowAt = 0;
  /** Bytes of the file when it was opened; it may grow meanwhile, which is ignored. */
  readonly sizeBytes: number;

  constructor(fd: number, sizeBytes: number) {
    this.fd = fd;
    this.sizeBytes = sizeBytes;
  }

  /** The bytes from `at`, fewer than `length` only at the end of the file. */
  read(at: number, length: number): Uint8Array {
    const end = Math.min(at + length, this.sizeBytes);
    if (at < this.windowAt || end > this.windowAt + this.window.length) {
      const pieceBytes = Math.min(Math.max(length, WINDOW_BYTES), this.sizeBytes - at);
      this.window = this.fill(at, Math.max(pieceBytes, 0));
      this.windowAt = at;
    }
    return this.window.subarray(at - this.windowAt, end - this.windowAt);
  }

  private fill(at: number, length: number): Uint8Array<ArrayBuffer> {
    const piece = new Uint8Array(length);
    let filled = 0;
    while (filled < length) {
      const count = readSync(this.fd, piece, filled, length - filled, at + filled);
      if (count === 0) break;
      filled += count;
    }
    return piece.subarray(0, filled);
  }

  /** Size without the zeros at the end, which were never written (see `writtenLength`). */
  writtenBytes(): number {
    for (let end = this.sizeBytes; end > 0;) {
      const from = Math.max(0, end - WINDOW_BYTES);
      const length = writtenLength(this.fill(from, end - from));
      if (length > 0) return from + length;
      end = from;
    }
    return 0;
  }
}
