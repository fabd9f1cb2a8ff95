/**
 * A batch: a run of log entries that counts as a whole or not at all, the unit of writing,
 * sending, acknowledging and chaining.
 *
 *    0  magic 'LSB1'                  32  bytes of the events    u32
 *    4  format version  u32           36  hash of the batch before (32 bytes)
 *    8  epoch           u64           68  CRC-32 of bytes 0..67
 *   16  first seq       u64           72  payload: the events (codec.ts)
 *   24  entries         u32           +0  CRC-32 of the payload
 *   28  payload bytes   u32           +4  end mark 'LSBE'
 *
 * A payload that is shorter than its events is an LZ4 block of them (lib/base/lz4.ts).
 *
 * All numbers are little-endian. The hash of a batch is SHA-256 over everything before the
 * payload's CRC, so it covers the hash of its predecessor: equal hashes mean equal histories. The
 * chain begins with the machine's digest in place of a predecessor.
 *
 * The CRCs tell accidents apart. A log is written front to back, so a crash leaves a proper
 * beginning of a batch, or such a beginning and then zeros where the file grew before its data
 * came: that is torn, expected, and dropped whole. Anything else is damage and is reported. The
 * header has a CRC of its own because a flipped bit in the length would look like a torn batch.
 */

import { assert } from '../base/assert.js';
import { ByteReader, ByteWriter, DecodeError } from '../base/bytes.js';
import { crc32 } from '../base/crc32.js';
import { compress, decompress } from '../base/lz4.js';
import { decodeEvents, encodedBytesBound, EventWriter } from './codec.js';
import { LOG_FORMAT_VERSION, type LogEntry } from './event.js';
import { BATCH_TARGET_BYTES, MAX_BATCH_BYTES } from './limits.js';

/** SHA-256, 32 bytes; a port, since this layer has no crypto of its host. */
export type Sha256 = (bytes: Uint8Array) => Uint8Array;

export const HASH_BYTES = 32;
export const BATCH_HEADER_BYTES = 72;
const TRAILER_BYTES = 8;
/** What a batch costs beyond its events. */
export const BATCH_OVERHEAD_BYTES = BATCH_HEADER_BYTES + TRAILER_BYTES;
const MAX_PAYLOAD_BYTES = MAX_BATCH_BYTES - BATCH_OVERHEAD_BYTES;

/** 'LSB1' and 'LSBE' as little-endian words. */
const MAGIC = 0x3142534c;
const END_MARK = 0x4542534c;

const HEADER_CRC_AT = 68;
/** Shorter events gain nothing. */
const MIN_COMPRESSED_BYTES = 96;

export interface BatchHeader {
  readonly epoch: bigint;
  readonly firstSeq: bigint;
  readonly count: number;
  readonly payloadBytes: number;
  /** Of the events; the payload is shorter where they are compressed. */
  readonly eventBytes: number;
  readonly previousHash: Uint8Array;
}

export interface Batch {
  /** Epoch of whoever wrote the batch. */
  readonly epoch: bigint;
  readonly firstSeq: bigint;
  readonly entries: readonly LogEntry[];
  readonly previousHash: Uint8Array;
  readonly hash: Uint8Array;
}

export interface EncodedBatch {
  readonly bytes: Uint8Array;
  /** Chain hash: `previousHash` of the batch after. */
  readonly hash: Uint8Array;
}

/** A batch of another format version: it may be sound, but this program cannot replay it. */
export class FormatVersionError extends DecodeError {
  readonly version: number;

  constructor(version: number) {
    super(`format version ${version}, this program reads version ${LOG_FORMAT_VERSION}`);
    this.version = version;
  }
}

/** `entries` is not empty and its sequence numbers have no gap. */
export function encodeBatch(
  entries: readonly LogEntry[],
  epoch: bigint,
  previousHash: Uint8Array,
  sha256: Sha256,
): EncodedBatch {
  const [first] = entries;
  assert(first !== undefined && first.seq >= 1n, 'a batch has entries, from sequence number 1');
  assert(previousHash.length === HASH_BYTES, `previous hash of ${previousHash.length} bytes`);
  const events = encodeEvents(entries, first.seq);
  const block = events.length < MIN_COMPRESSED_BYTES ? null : compress(events);
  const payload = block ?? events;
  const out = new ByteWriter(payload.length + BATCH_OVERHEAD_BYTES);
  out.u32(MAGIC);
  out.u32(LOG_FORMAT_VERSION);
  out.u64(epoch);
  out.u64(first.seq);
  out.u32(entries.length);
  out.u32(payload.length);
  out.u32(events.length);
  out.raw(previousHash);
  out.u32(crc32(out.finish()));
  out.raw(payload);
  const hash = sha256(out.finish());
  out.u32(crc32(payload));
  out.u32(END_MARK);
  return { bytes: out.finish(), hash };
}

function encodeEvents(entries: readonly LogEntry[], firstSeq: bigint): Uint8Array {
  const out = new ByteWriter();
  const writer = new EventWriter(out);
  let seq = firstSeq;
  for (const entry of entries) {
    assert(entry.seq === seq, `entry ${entry.seq} stands where ${seq} is due`);
    writer.write(entry.event);
    seq += 1n;
  }
  assert(
    out.length <= MAX_PAYLOAD_BYTES,
    `batch of ${out.length} bytes, at most ${MAX_BATCH_BYTES}`,
  );
  return out.finish();
}

/**
 * Cuts entries into batches: before each epoch event, since a batch has one epoch, and where a
 * batch would grow beyond `BATCH_TARGET_BYTES`. Every part can be encoded.
 */
export function cutBatches(entries: readonly LogEntry[]): LogEntry[][] {
  const parts: LogEntry[][] = [];
  let part: LogEntry[] = [];
  let partBytes = BATCH_OVERHEAD_BYTES;
  for (const entry of entries) {
    const entryBytes = encodedBytesBound(entry.event);
    const isCut = entry.event.kind === 'epoch' || partBytes + entryBytes > BATCH_TARGET_BYTES;
    if (isCut && part.length > 0) {
      parts.push(part);
      part = [];
      partBytes = BATCH_OVERHEAD_BYTES;
    }
    part.push(entry);
    partBytes += entryBytes;
  }
  if (part.length > 0) parts.push(part);
  return parts;
}

/**
 * The batch that `bytes` is, to the last byte. Throws `DecodeError` on anything else. That the
 * chain and the sequence go on from the batch before is the caller's to check: it knows that one.
 */
export function decodeBatch(bytes: Uint8Array, sha256: Sha256): Batch {
  const header = decodeBatchHeader(bytes);
  const expected = header.payloadBytes + BATCH_OVERHEAD_BYTES;
  if (bytes.length !== expected) {
    throw new DecodeError(`a batch of ${expected} bytes in ${bytes.length}`);
  }
  const payloadEnd = BATCH_HEADER_BYTES + header.payloadBytes;
  const payload = bytes.subarray(BATCH_HEADER_BYTES, payloadEnd);
  const trailer = new ByteReader(bytes.subarray(payloadEnd));
  if (trailer.u32() !== crc32(payload)) throw new DecodeError('payload CRC does not match');
  if (trailer.u32() !== END_MARK) throw new DecodeError('end mark missing');
  const { epoch, firstSeq, previousHash, eventBytes } = header;
  const isCompressed = header.payloadBytes < eventBytes;
  const events = decodeEvents(
    isCompressed ? decompress(payload, eventBytes) : payload,
    header.count,
  );
  for (const event of events) {
    if (event.kind === 'epoch' && event.epoch !== epoch) {
      throw new DecodeError(`epoch event ${event.epoch} in a batch of epoch ${epoch}`);
    }
  }
  const entries = events.map((event, index) => ({ seq: firstSeq + BigInt(index), event }));
  return { epoch, firstSeq, entries, previousHash, hash: sha256(bytes.subarray(0, payloadEnd)) };
}

/** The header at the start of `bytes`, which must hold all of it. */
export function decodeBatchHeader(bytes: Uint8Array): BatchHeader {
  const input = new ByteReader(bytes);
  if (input.u32() !== MAGIC) throw new DecodeError('no batch here: magic missing');
  const version = input.u32();
  const epoch = input.u64();
  const firstSeq = input.u64();
  const count = input.u32();
  const payloadBytes = input.u32();
  const eventBytes = input.u32();
  const previousHash = input.raw(HASH_BYTES);
  if (input.u32() !== crc32(bytes.subarray(0, HEADER_CRC_AT))) {
    throw new DecodeError('header CRC does not match');
  }
  if (version !== LOG_FORMAT_VERSION) throw new FormatVersionError(version);
  if (eventBytes > MAX_PAYLOAD_BYTES) {
    throw new DecodeError(`events of ${eventBytes} bytes over the limit ${MAX_PAYLOAD_BYTES}`);
  }
  if (payloadBytes > eventBytes) {
    throw new DecodeError(`payload of ${payloadBytes} bytes for events of ${eventBytes}`);
  }
  if (count === 0 || firstSeq === 0n || firstSeq + BigInt(count) >= 1n << 64n) {
    throw new DecodeError(`${count} entries from sequence number ${firstSeq}`);
  }
  return { epoch, firstSeq, count, payloadBytes, eventBytes, previousHash };
}

/**
 * Bytes of the batch at the start of `bytes`, as its header says, or null if `bytes` ends within
 * the header. Throws `DecodeError` where no batch begins.
 */
export function batchLength(bytes: Uint8Array): number | null {
  if (bytes.length >= BATCH_HEADER_BYTES) {
    return decodeBatchHeader(bytes).payloadBytes + BATCH_OVERHEAD_BYTES;
  }
  const magic = new ByteWriter(4);
  magic.u32(MAGIC);
  const start = magic.finish().subarray(0, bytes.length);
  if (start.some((byte, index) => byte !== bytes[index])) {
    throw new DecodeError('no batch here: magic missing');
  }
  return null;
}

/**
 * Length of a log without the zeros at its end. A batch never ends in a zero byte, so these were
 * never written: a file system may grow a file before the data is there.
 */
export function writtenLength(bytes: Uint8Array): number {
  let length = bytes.length;
  while (length > 0 && bytes[length - 1] === 0) length--;
  return length;
}

export interface SplitLog {
  /** Complete batches, in place; their payloads are not verified yet. */
  readonly batches: readonly Uint8Array[];
  /** Where the torn tail begins; the length of the input if there is none. */
  readonly tornAt: number;
}

/** The batches in `bytes`, which nothing follows. Throws `DecodeError` on a damaged header. */
export function splitBatches(bytes: Uint8Array): SplitLog {
  const end = writtenLength(bytes);
  const batches: Uint8Array[] = [];
  let at = 0;
  while (at < end) {
    const length = batchLength(bytes.subarray(at, end));
    if (length === null || at + length > end) break;
    batches.push(bytes.subarray(at, at + length));
    at += length;
  }
  return { batches, tornAt: at };
}
