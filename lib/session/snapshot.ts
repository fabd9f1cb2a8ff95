/**
 * A machine and its session at one point, as bytes: what a joining backup starts from.
 *
 *   magic 'LSS1' u32, format version u32
 *   machine digest   block        layout, configuration and images; another machine is refused
 *   seq, epoch       u64 u64      last log entry before the snapshot, and who wrote it
 *   check steps      u64 u64
 *   history          block        hash over the log so far
 *   streams          n, then for each: name block, offset u64, marked u64, hash block
 *   words            block        the machine's own form
 *   runs of pages    page varint, count 1..256 varint, bytes; a count of 0 ends them
 *   CRC-32 of everything before, u32
 *
 * Pages are those of RAM and the blocks of the disks, numbered as the machine numbers them. RAM
 * that is all zero is left out, and so are blocks as the base image has them. A run is at most
 * 1 MiB, so that a reader that is given the file in pieces never waits for more. The reader takes
 * its input as hostile: whatever is wrong is BAD_SNAPSHOT and nothing is restored.
 */

import { ByteReader, ByteWriter, DecodeError } from '../base/bytes.js';
import { crc32 } from '../base/crc32.js';
import { LockstepError } from '../base/error.js';
import { HASH_STATE_BYTES } from '../base/hash.js';
import { OUTPUT_STREAMS, type OutputStream } from '../event/event.js';
import type { Machine } from '../machine/machine.js';
import type { StreamState } from './output-streams.js';
import { endRuns, readPages, runsOf, writeRun, type Page } from './page-runs.js';
import { storedPages, type StoredPages } from './page-store.js';
import type { SessionState } from './session-state.js';

const MAGIC = 0x3153534c;
export const SNAPSHOT_FORMAT_VERSION = 1;
const MAX_DIGEST_BYTES = 128;
const MAX_NAME_BYTES = 64;
const MAX_WORDS_BYTES = 4 << 20;
const CRC_BYTES = 4;
const NO_PAGES: StoredPages = { numbers: new Uint32Array(0), slabs: [] };
/** Where a saved hash has its count of bytes. */
const HASHED_BYTES_AT = 16;

/** Words at the last check are not in it: a snapshot is taken right after a check with pages. */
type SavedState = Omit<SessionState, 'words'>;

interface Snapshot {
  readonly state: SavedState;
  readonly words: Uint8Array;
  readonly pages: readonly Page[];
}

/**
 * `state` must be that of a session that has just checked the machine, pages included. `pages` are
 * those to put in, where whoever gets it has the others already.
 */
export function encodeSnapshot(
  machine: Machine,
  state: SavedState,
  pages: Iterable<Page> = presentPages(machine),
): Uint8Array {
  const out = new ByteWriter(1 << 20);
  for (const part of snapshotParts(machine, state, pages)) out.raw(part);
  return out.finish();
}

/** The same in pieces of little more than 1 MiB. */
export function* snapshotParts(
  machine: Machine,
  state: SavedState,
  pages: Iterable<Page> = presentPages(machine),
): Generator<Uint8Array> {
  const out = new ByteWriter();
  let crc = 0;
  const part = (): Uint8Array => {
    const bytes = out.finish();
    out.length = 0;
    crc = crc32(bytes, crc);
    return bytes;
  };
  writeHead(out, machine, state);
  yield part();
  for (const run of runsOf(pages)) {
    writeRun(out, run);
    yield part();
  }
  endRuns(out);
  yield part();
  out.u32(crc);
  yield out.finish();
}

function writeHead(out: ByteWriter, machine: Machine, state: SavedState): void {
  out.u32(MAGIC);
  out.u32(SNAPSHOT_FORMAT_VERSION);
  out.block(asciiBytes(machine.digest));
  out.u64(state.seq);
  out.u64(state.epoch);
  out.u64(state.checkStep);
  out.u64(state.pageCheckStep);
  out.block(state.history);
  out.varint(state.streams.length);
  for (const { stream, offset, marked, hash } of state.streams) {
    out.block(asciiBytes(stream));
    out.u64(offset);
    out.u64(marked);
    out.block(hash);
  }
  out.block(machine.saveWords());
}

function* presentPages(machine: Machine): Generator<Page> {
  for (let page = 0; page < machine.pageCount; page++) {
    const bytes = machine.savePage(page);
    if (bytes !== null) yield [page, bytes];
  }
}

/** What a snapshot says of itself; its pages and checksum are looked at when it is restored. */
export interface SnapshotPosition {
  /** Last log entry before the snapshot. */
  readonly seq: bigint;
  /** Bytes of output so far. */
  readonly outputs: readonly { readonly stream: OutputStream; readonly offset: bigint }[];
}

/** Errors: BAD_SNAPSHOT. */
export function readPosition(bytes: Uint8Array): SnapshotPosition {
  return refuseDamage(() => {
    const input = new ByteReader(bytes);
    requireFormat(input);
    const { state } = readHead(input);
    const outputs = state.streams.map(({ stream, offset }) => ({ stream, offset }));
    return { seq: state.seq, outputs };
  });
}

/**
 * Puts a machine of the same digest into the state of the snapshot, and gives what a session needs
 * to go on with it. `copied` are pages that were copied before, and those of the snapshot win.
 * BAD_SNAPSHOT if the bytes are damaged, of another format or another machine.
 */
export function restoreSnapshot(
  machine: Machine,
  bytes: Uint8Array,
  copied: StoredPages = NO_PAGES,
): SessionState {
  const snapshot = refuseDamage(() => readSnapshot(machine, bytes));
  machine.restore(snapshot.words, bothOf(storedPages(copied), snapshot.pages));
  do machine.takeDirtyPages();
  while (machine.hasMoreDirtyPages());
  return { ...snapshot.state, words: machine.words() };
}

function* bothOf(first: Iterable<Page>, then: Iterable<Page>): Generator<Page> {
  yield* first;
  yield* then;
}

function refuseDamage<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    throw new LockstepError('BAD_SNAPSHOT', `the snapshot is damaged: ${error.message}`);
  }
}

function readSnapshot(machine: Machine, bytes: Uint8Array): Snapshot {
  if (bytes.length < CRC_BYTES) throw new DecodeError('it ends within its header');
  const body = bytes.subarray(0, bytes.length - CRC_BYTES);
  const input = new ByteReader(body);
  requireFormat(input);
  if (new ByteReader(bytes.subarray(body.length)).u32() !== crc32(body)) {
    throw new DecodeError('its CRC does not match');
  }
  const { digest, state } = readHead(input);
  if (digest !== machine.digest) {
    throw new LockstepError(
      'BAD_SNAPSHOT',
      `the snapshot is of machine ${digest.slice(0, 16)}, this one is ` +
        `${machine.digest.slice(0, 16)}: configuration, images or version differ`,
    );
  }
  const words = input.block(MAX_WORDS_BYTES, 'words');
  const pages = readPages(input, machine.pageCount);
  if (input.remaining !== 0) throw new DecodeError(`${input.remaining} bytes after its end`);
  return { state, words, pages };
}

function requireFormat(input: ByteReader): void {
  if (input.u32() !== MAGIC) throw new DecodeError('it does not begin like a snapshot');
  const version = input.u32();
  if (version !== SNAPSHOT_FORMAT_VERSION) {
    throw new DecodeError(
      `format version ${version}, this program reads ${SNAPSHOT_FORMAT_VERSION}`,
    );
  }
}

/** What stands between the format and the words. */
function readHead(input: ByteReader): { readonly digest: string; readonly state: SavedState } {
  const digest = asciiText(input.block(MAX_DIGEST_BYTES, 'digest'));
  const state = {
    seq: input.u64(),
    epoch: input.u64(),
    checkStep: input.u64(),
    pageCheckStep: input.u64(),
    history: readHash(input, 'history'),
    streams: readStreams(input),
  };
  return { digest, state };
}

function readStreams(input: ByteReader): StreamState[] {
  const streams: StreamState[] = [];
  const count = input.count(OUTPUT_STREAMS.length, 'streams');
  for (let index = 0; index < count; index++) {
    const name = asciiText(input.block(MAX_NAME_BYTES, 'stream name'));
    const stream = OUTPUT_STREAMS.find((candidate) => candidate === name);
    if (stream === undefined) throw new DecodeError(`output stream ${JSON.stringify(name)}`);
    const offset = input.u64();
    const marked = input.u64();
    const hash = readHash(input, 'stream hash');
    if (marked > offset) throw new DecodeError(`mark ${marked} beyond output ${offset}`);
    const hashed = hashedBytes(hash);
    if (hashed !== offset) {
      throw new DecodeError(`hash over ${hashed} bytes of a stream of ${offset}`);
    }
    streams.push({ stream, offset, marked, hash });
  }
  return streams;
}

function readHash(input: ByteReader, what: string): Uint8Array {
  const hash = input.block(HASH_STATE_BYTES, what);
  if (hash.length !== HASH_STATE_BYTES) throw new DecodeError(`${what} of ${hash.length} bytes`);
  if (hashedBytes(hash) > BigInt(Number.MAX_SAFE_INTEGER)) {
    throw new DecodeError(`${what} over ${hashedBytes(hash)} bytes`);
  }
  return hash;
}

function hashedBytes(hash: Uint8Array): bigint {
  return new DataView(hash.buffer, hash.byteOffset).getBigUint64(HASHED_BYTES_AT, true);
}

function asciiBytes(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0) & 0x7f);
}

function asciiText(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes);
}
