/**
 * Reads a log from disk, verifying everything: format, machine, CRCs, sequence and chain.
 *
 * Invariant: an entry is handed out only if everything before it in the log was sound. The end of
 * the last segment may be torn, by a crash while it was written; that tail is dropped and its
 * length told. Damage anywhere else is BAD_LOG with file, offset and sequence number.
 *
 * The log is seen as it was when it was opened. It may be the log of a running writer; then a
 * batch that is half written looks torn, as it should.
 */

import { closeSync, fstatSync, openSync, readdirSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { DecodeError } from '../../base/bytes.js';
import { LockstepError } from '../../base/error.js';
import {
  BATCH_HEADER_BYTES,
  batchLength,
  decodeBatch,
  FormatVersionError,
  type Batch,
} from '../../event/batch.js';
import { attempt, damage } from './failure.js';
import { digestBytes, readMeta, type LogMeta, type LogStart } from './meta.js';
import {
  decodeSegmentHeader,
  FileWindow,
  SEGMENT_HEADER_BYTES,
  segmentIndex,
  segmentName,
  type SegmentHeader,
} from './segment.js';
import { sha256, toHex } from './sha256.js';

/** A verified batch and where it stands. */
export interface StoredBatch {
  readonly batch: Batch;
  /** As encoded, to be sent or stored elsewhere. */
  readonly bytes: Uint8Array;
  readonly file: string;
  readonly offset: number;
}

/** Where a log ends: what the next batch must continue. */
export interface LogEnd {
  readonly nextSeq: bigint;
  /** Hash of the last batch, or of what came before the first. */
  readonly hash: Uint8Array;
  /** Epoch of the last batch; 0 for none. */
  readonly epoch: bigint;
  /** Last segment that is kept; null if even its header is torn and none is before it. */
  readonly lastSegment: { readonly index: number; readonly bytes: number } | null;
  /** Bytes after the last complete batch. */
  readonly tornBytes: number;
}

interface Cursor {
  nextSeq: bigint;
  hash: Uint8Array;
  epoch: bigint;
  lastSegment: LogEnd['lastSegment'];
  tornBytes: number;
}

export class LogReader {
  /** Null for a single segment read by itself, which has no meta.json. */
  readonly meta: LogMeta | null;
  private readonly files: readonly string[];

  private constructor(meta: LogMeta | null, files: readonly string[]) {
    this.meta = meta;
    this.files = files;
  }

  /** A log directory, or one segment file of it. */
  static open(path: string): LogReader {
    const isDirectory = attempt('cannot open', path, () => statSync(path)).isDirectory();
    if (!isDirectory) return new LogReader(null, [path]);
    const meta = readMeta(path);
    return new LogReader(meta, listSegments(path));
  }

  /** The batches in order; returns where the log ends. */
  *batches(): Generator<StoredBatch, LogEnd, undefined> {
    const cursor: Cursor = { ...this.begin(), epoch: 0n, lastSegment: null, tornBytes: 0 };
    for (const [position, file] of this.files.entries()) {
      const isLast = position === this.files.length - 1;
      const fd = attempt('cannot open', file, () => openSync(file, 'r'));
      try {
        const segment = new SegmentReader(file, fd, isLast);
        if (segment.readHeader(cursor, position === 0, this.meta)) {
          yield* segment.batches(cursor);
          const index = segmentIndex(basename(file)) ?? position + 1;
          cursor.lastSegment = { index, bytes: segment.endBytes };
        }
      } finally {
        closeSync(fd);
      }
    }
    return cursor;
  }

  private begin(): Pick<Cursor, 'nextSeq' | 'hash'> {
    if (this.meta === null) return { nextSeq: 0n, hash: new Uint8Array(0) };
    const { start, machineDigest } = this.meta;
    if (start.firstSeq === 1n && toHex(start.previousHash) !== machineDigest) {
      throw new LockstepError('BAD_LOG', 'meta.json: the chain does not start at the machine');
    }
    return { nextSeq: start.firstSeq, hash: start.previousHash };
  }

  /** Reads all of the log and keeps nothing: where it ends. */
  verify(): LogEnd {
    const iterator = this.batches();
    for (;;) {
      const step = iterator.next();
      if (step.done === true) return step.value;
    }
  }
}

function listSegments(directory: string): string[] {
  const indices = attempt('cannot list', directory, () => readdirSync(directory))
    .map(segmentIndex)
    .filter((index) => index !== null)
    .sort((a, b) => a - b);
  const files = indices.map((index) => join(directory, segmentName(index)));
  const last = indices.at(-1) ?? 0;
  if (last !== indices.length || last === 0) {
    const seen = new Set(indices);
    let missing = 1;
    while (seen.has(missing)) missing++;
    const file = join(directory, segmentName(missing));
    throw new LockstepError('BAD_LOG', `${file}: this segment of the log is missing`, { file });
  }
  return files;
}

/** Reads one segment, moving the cursor over what it accepts. */
class SegmentReader {
  private readonly file: string;
  private readonly window: FileWindow;
  private readonly isLast: boolean;
  /** Bytes up to which the file is sound and complete. */
  endBytes = 0;

  constructor(file: string, fd: number, isLast: boolean) {
    this.file = file;
    this.isLast = isLast;
    this.window = attempt('cannot read', file, () => new FileWindow(fd, fstatSync(fd).size));
  }

  private read(at: number, length: number): Uint8Array {
    return attempt('cannot read', this.file, () => this.window.read(at, length));
  }

  private damaged(offset: number, seq: bigint, reason: string): LockstepError {
    return damage({ file: this.file, offset, seq }, reason);
  }

  /** Runs a decoder on bytes at `offset`; what it refuses is damage there. */
  private decode<T>(offset: number, seq: bigint, decoder: () => T): T {
    try {
      return decoder();
    } catch (error) {
      if (error instanceof FormatVersionError) {
        const message = `${this.file}: ${error.message}`;
        throw new LockstepError('BAD_LOG', message, { file: this.file, version: error.version });
      }
      if (error instanceof DecodeError) throw this.damaged(offset, seq, error.message);
      throw error;
    }
  }

  /** False if the header of the last segment is torn. */
  readHeader(cursor: Cursor, isFirst: boolean, meta: LogMeta | null): boolean {
    const written = attempt('cannot read', this.file, () => this.window.writtenBytes());
    if (this.isLast && written < SEGMENT_HEADER_BYTES && !this.hasWholeHeader()) {
      if (isFirst) throw this.damaged(0, cursor.nextSeq, 'the first segment has no header');
      cursor.tornBytes += this.window.sizeBytes;
      return false;
    }
    const bytes = this.read(0, SEGMENT_HEADER_BYTES);
    const header = this.decode(0, cursor.nextSeq, () => decodeSegmentHeader(bytes));
    if (meta === null) {
      cursor.nextSeq = header.firstSeq;
      cursor.hash = header.previousHash;
    } else {
      this.checkHeader(header, cursor, digestBytes(meta.machineDigest));
    }
    this.endBytes = SEGMENT_HEADER_BYTES;
    return true;
  }

  /** A sound header may end in zero bytes; then its CRC tells that it is whole. */
  private hasWholeHeader(): boolean {
    const bytes = this.read(0, SEGMENT_HEADER_BYTES);
    try {
      decodeSegmentHeader(bytes);
      return true;
    } catch (error) {
      if (error instanceof FormatVersionError) return true;
      if (error instanceof DecodeError) return false;
      throw error;
    }
  }

  private checkHeader(header: SegmentHeader, cursor: Cursor, digest: Uint8Array): void {
    if (!equalBytes(header.machineDigest, digest)) {
      throw this.damaged(0, cursor.nextSeq, 'the segment belongs to another machine');
    }
    this.checkContinues(header, cursor, 0);
  }

  private checkContinues(found: LogStart, cursor: Cursor, offset: number): void {
    const { nextSeq } = cursor;
    if (found.firstSeq !== nextSeq) {
      throw this.damaged(offset, nextSeq, `sequence number ${found.firstSeq} stands here`);
    }
    if (!equalBytes(found.previousHash, cursor.hash)) {
      throw this.damaged(offset, nextSeq, 'it does not continue the batch before (hash chain)');
    }
  }

  *batches(cursor: Cursor): Generator<StoredBatch, void, undefined> {
    const end = this.isLast
      ? Math.max(this.window.writtenBytes(), this.endBytes)
      : this.window.sizeBytes;
    while (this.endBytes < end) {
      const offset = this.endBytes;
      const bytes = this.batchAt(offset, end, cursor.nextSeq);
      if (bytes === null) break;
      const batch = this.decode(offset, cursor.nextSeq, () => decodeBatch(bytes, sha256));
      this.checkContinues(batch, cursor, offset);
      if (batch.epoch < cursor.epoch) {
        const reason = `epoch ${batch.epoch} after epoch ${cursor.epoch}`;
        throw this.damaged(offset, cursor.nextSeq, reason);
      }
      cursor.nextSeq += BigInt(batch.entries.length);
      cursor.hash = batch.hash;
      cursor.epoch = batch.epoch;
      this.endBytes = offset + bytes.length;
      yield { batch, bytes, file: this.file, offset };
    }
    cursor.tornBytes += this.window.sizeBytes - this.endBytes;
  }

  /** The bytes of the batch at `offset`, or null if it is the torn tail of the log. */
  private batchAt(offset: number, end: number, seq: bigint): Uint8Array | null {
    const header = this.read(offset, Math.min(BATCH_HEADER_BYTES, end - offset));
    const length = this.decode(offset, seq, () => batchLength(header));
    if (length !== null && offset + length <= end) return this.read(offset, length);
    if (this.isLast) return null;
    throw this.damaged(offset, seq, 'a batch is cut short within the log');
  }
}

function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}
