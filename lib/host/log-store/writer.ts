/**
 * Writes a log to disk: appends batches to segments, in the order given.
 *
 * `append` returns when the batch is in the operating system's cache: from then on it survives
 * the death of this process, which is what the log of a killed primary must show. It is a plain
 * call rather than a promise so that a batch is in the file before it is sent to anyone; writing
 * to the cache takes some microseconds. `flush` says when everything appended survives what the
 * flush mode promises; callers that wait at the same time share one call to the disk.
 *
 * Invariant: after a failure the files hold the batches appended before it and no part of the one
 * that failed, as far as the disk lets us cut it off, and nothing is appended any more. A failed
 * flush is never repeated: the kernel may have dropped the pages that it could not write.
 */

import {
  closeSync,
  fdatasync,
  fdatasyncSync,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { assert } from '../../base/assert.js';
import { LockstepError } from '../../base/error.js';
import { decodeBatchHeader, type EncodedBatch } from '../../event/batch.js';
import { attempt, ioFailure } from './failure.js';
import { digestBytes, writeMeta, type LogMeta, type LogStart } from './meta.js';
import { LogReader } from './reader.js';
import {
  DEFAULT_SEGMENT_BYTES,
  encodeSegmentHeader,
  SEGMENT_HEADER_BYTES,
  segmentName,
} from './segment.js';
import { toHex } from './sha256.js';

const fdatasyncAsync = promisify(fdatasync);

/** `memory`: what is appended survives the process. `durable`: `flush` waits for the disk. */
export type FlushMode = 'memory' | 'durable';

export interface LogWriterOptions {
  readonly flush: FlushMode;
  /** A segment that would grow beyond this is followed by a new one; 64 MiB by default. */
  readonly segmentBytes?: number;
}

/** What the next batch must continue. */
export interface LogPosition {
  readonly nextSeq: bigint;
  readonly hash: Uint8Array;
  readonly epoch: bigint;
}

export interface ReopenedLog {
  readonly writer: LogWriter;
  readonly meta: LogMeta;
  /** Bytes of a torn tail that were cut off. */
  readonly tornBytes: number;
}

interface OpenSegment {
  readonly index: number;
  readonly path: string;
  readonly fd: number;
  /** Bytes up to the end of the last complete batch. */
  bytes: number;
}

export class LogWriter {
  readonly directory: string;
  private readonly machineDigest: Uint8Array;
  private readonly flushMode: FlushMode;
  private readonly segmentBytes: number;
  private segment: OpenSegment;
  private current: LogPosition;
  private failure: LockstepError | null = null;
  private isClosed = false;
  /** Bytes appended, and how many of them the disk is known to have. */
  private appendedBytes = 0;
  private flushedBytes = 0;
  private flushing: Promise<void> | null = null;

  private constructor(
    directory: string,
    machineDigest: string,
    options: LogWriterOptions,
    state: { readonly segment: OpenSegment; readonly position: LogPosition },
  ) {
    this.directory = directory;
    this.machineDigest = digestBytes(machineDigest);
    this.flushMode = options.flush;
    this.segmentBytes = options.segmentBytes ?? DEFAULT_SEGMENT_BYTES;
    this.segment = state.segment;
    this.current = state.position;
  }

  /**
   * Starts a log in `directory`, which is made if it is missing and must be empty. USAGE if it is
   * not, IO if it can't be written.
   */
  static create(directory: string, meta: LogMeta, options: LogWriterOptions): LogWriter {
    attempt('cannot create', directory, () =>
      mkdirSync(directory, { recursive: true, mode: 0o700 }),
    );
    const names = attempt('cannot list', directory, () => readdirSync(directory));
    if (names.length > 0) {
      throw new LockstepError(
        'USAGE',
        `${directory} is not empty; a new log needs a directory of its own`,
        { path: directory },
      );
    }
    const header = { machineDigest: digestBytes(meta.machineDigest), ...meta.start };
    const segment = createSegment(directory, 1, encodeSegmentHeader(header));
    writeMeta(directory, meta);
    flushDirectory(directory);
    flushDirectory(dirname(directory));
    const { firstSeq, previousHash } = meta.start;
    const position = { nextSeq: firstSeq, hash: previousHash, epoch: 0n };
    return new LogWriter(directory, meta.machineDigest, options, { segment, position });
  }

  /**
   * Verifies the log in `directory`, cuts off a torn tail and goes on after its last batch.
   * BAD_LOG if the log is damaged or belongs to another machine than `machineDigest`.
   */
  static openForAppend(
    directory: string,
    machineDigest: string,
    options: LogWriterOptions,
  ): ReopenedLog {
    const reader = LogReader.open(directory);
    const { meta } = reader;
    if (meta === null) {
      throw new LockstepError('BAD_LOG', `${directory} is a single segment, not a log directory`);
    }
    if (meta.machineDigest !== machineDigest) {
      throw new LockstepError(
        'BAD_LOG',
        `${directory} is the log of machine ${meta.machineDigest}, not of ${machineDigest}`,
      );
    }
    const end = reader.verify();
    const { lastSegment } = end;
    assert(lastSegment !== null, 'a verified log has a first segment');
    const tornFile = join(directory, segmentName(lastSegment.index + 1));
    attempt('cannot remove', tornFile, () => rmSync(tornFile, { force: true }));
    const segment = reopenSegment(directory, lastSegment.index, lastSegment.bytes);
    const writer = new LogWriter(directory, machineDigest, options, { segment, position: end });
    return { writer, meta, tornBytes: end.tornBytes };
  }

  /** Where the next batch belongs. */
  get position(): LogPosition {
    return this.current;
  }

  /** Bytes appended that `flush` has not yet made safe; always 0 in mode `memory`. */
  get unflushedBytes(): number {
    return this.flushMode === 'memory' ? 0 : this.appendedBytes - this.flushedBytes;
  }

  /**
   * Appends a batch, which must continue the chain. Throws IO if it can't be written; then the
   * writer takes nothing more.
   */
  append(batch: EncodedBatch): void {
    if (this.failure !== null) throw this.failure;
    assert(!this.isClosed, 'the log is open');
    const header = decodeBatchHeader(batch.bytes);
    const { nextSeq, hash } = this.current;
    assert(
      header.firstSeq === nextSeq,
      `batch ${header.firstSeq} appended where ${nextSeq} is due`,
    );
    assert(toHex(header.previousHash) === toHex(hash), 'the batch continues the chain');
    try {
      this.rotateFor(batch.bytes.length, header);
      writeAt(this.segment, batch.bytes);
    } catch (error) {
      throw this.fail(error);
    }
    this.appendedBytes += batch.bytes.length;
    this.current = {
      nextSeq: nextSeq + BigInt(header.count),
      hash: batch.hash,
      epoch: header.epoch,
    };
  }

  private rotateFor(batchBytes: number, start: LogStart): void {
    const { segment } = this;
    const hasBatches = segment.bytes > SEGMENT_HEADER_BYTES;
    if (!hasBatches || segment.bytes + batchBytes <= this.segmentBytes) return;
    // Only the last segment may be torn, so this one is on disk before another exists.
    if (this.flushMode === 'durable') {
      attempt('cannot flush', segment.path, () => fdatasyncSync(segment.fd));
    }
    const { firstSeq, previousHash } = start;
    const header = { machineDigest: this.machineDigest, firstSeq, previousHash };
    this.segment = createSegment(this.directory, segment.index + 1, encodeSegmentHeader(header));
    this.closeAfterFlush(segment);
    if (this.flushMode === 'durable') flushDirectory(this.directory);
  }

  /** A flush under way still uses the file; its outcome is told to those who wait for it. */
  private closeAfterFlush(segment: OpenSegment): void {
    const close = (): void => closeSync(segment.fd);
    if (this.flushing === null) close();
    else void this.flushing.then(close, close);
  }

  private fail(error: unknown): LockstepError {
    const failure =
      error instanceof LockstepError ? error : ioFailure(error, 'cannot write', this.segment.path);
    this.failure = failure;
    return failure;
  }

  /** Resolves when everything appended before the call is as safe as the flush mode promises. */
  async flush(): Promise<void> {
    const wanted = this.appendedBytes;
    while (this.flushMode === 'durable' && this.flushedBytes < wanted) {
      if (this.failure !== null) throw this.failure;
      this.flushing ??= this.flushOnce().finally(() => {
        this.flushing = null;
      });
      await this.flushing;
    }
  }

  private async flushOnce(): Promise<void> {
    const { segment, appendedBytes } = this;
    try {
      await fdatasyncAsync(segment.fd);
    } catch (error) {
      this.failure = ioFailure(error, 'cannot flush', segment.path);
      throw this.failure;
    }
    // Batches appended meanwhile count next time; earlier segments were flushed at rotation.
    this.flushedBytes = appendedBytes;
  }

  /** Flushes as the mode promises and closes the file; a failure was or is thrown. */
  async close(): Promise<void> {
    if (this.isClosed) return;
    this.isClosed = true;
    try {
      if (this.failure === null) await this.flush();
    } finally {
      closeSync(this.segment.fd);
    }
  }
}

function createSegment(directory: string, index: number, header: Uint8Array): OpenSegment {
  const path = join(directory, segmentName(index));
  const fd = attempt('cannot create', path, () => openSync(path, 'wx', 0o600));
  const segment = { index, path, fd, bytes: 0 };
  try {
    writeAt(segment, header);
  } catch (error) {
    closeSync(fd);
    rmSync(path, { force: true });
    throw error;
  }
  return segment;
}

function reopenSegment(directory: string, index: number, bytes: number): OpenSegment {
  const path = join(directory, segmentName(index));
  const fd = attempt('cannot open', path, () => openSync(path, 'r+'));
  attempt('cannot truncate', path, () => {
    ftruncateSync(fd, bytes);
    fdatasyncSync(fd);
  });
  return { index, path, fd, bytes };
}

/** Writes all of `bytes` at the end of the segment, or cuts off what was written of them. */
function writeAt(segment: OpenSegment, bytes: Uint8Array): void {
  let written = 0;
  try {
    while (written < bytes.length) {
      written += writeSync(
        segment.fd,
        bytes,
        written,
        bytes.length - written,
        segment.bytes + written,
      );
    }
  } catch (error) {
    throw cutOff(segment, ioFailure(error, 'cannot write', segment.path));
  }
  segment.bytes += bytes.length;
}

/** If the cut fails too, a reader drops the rest as a torn tail, so the first failure is told. */
function cutOff(segment: OpenSegment, failure: LockstepError): LockstepError {
  try {
    ftruncateSync(segment.fd, segment.bytes);
    return failure;
  } catch (error) {
    const second = ioFailure(error, 'nor truncate', segment.path);
    return new LockstepError('IO', `${failure.message}; ${second.message}`, failure.fields);
  }
}

/** Makes the names of new files safe, not only their content. */
function flushDirectory(directory: string): void {
  attempt('cannot flush', directory, () => {
    const fd = openSync(directory, 'r');
    try {
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
  });
}
