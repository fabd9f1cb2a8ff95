/**
 * Goal: a batch is whole, or torn, or damaged, and the three are never confused; the chain covers
 * everything. Method: every cut and every flipped bit of a small log, exhaustively.
 */

import { createHash } from 'node:crypto';
import test from 'ava';
import { AssertionError } from '../../../lib/base/assert.js';
import { DecodeError } from '../../../lib/base/bytes.js';
import { crc32 } from '../../../lib/base/crc32.js';
import {
  BATCH_HEADER_BYTES,
  cutBatches,
  decodeBatch,
  decodeBatchHeader,
  encodeBatch,
  FormatVersionError,
  HASH_BYTES,
  splitBatches,
} from '../../../lib/event/batch.js';
import type { LogEntry } from '../../../lib/event/event.js';
import { BATCH_TARGET_BYTES } from '../../../lib/event/limits.js';
import { Random, sampleEntries } from './sample.js';

const sha256 = (bytes: Uint8Array): Uint8Array =>
  new Uint8Array(createHash('sha256').update(bytes).digest());
const START = new Uint8Array(HASH_BYTES).fill(0x5a);

interface SmallLog {
  readonly bytes: Uint8Array;
  readonly batches: readonly Uint8Array[];
  readonly entries: readonly LogEntry[][];
}

function smallLog(): SmallLog {
  let previous = START;
  let seq = 1n;
  const batches: Uint8Array[] = [];
  const entries: LogEntry[][] = [];
  for (let index = 0; index < 3; index++) {
    const part = sampleEntries(new Random(index + 40), 4, seq);
    const encoded = encodeBatch(part, 1n, previous, sha256);
    batches.push(encoded.bytes);
    entries.push(part);
    previous = encoded.hash.slice();
    seq += BigInt(part.length);
  }
  return { bytes: concat(batches), batches, entries };
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(parts.flatMap((part) => [...part]));
}

/** What a reader accepts: the batches before the tail, chain and sequence checked. */
function readAll(bytes: Uint8Array): { read: LogEntry[][]; tornAt: number } {
  const { batches, tornAt } = splitBatches(bytes);
  let previous = START;
  let seq = 1n;
  const read: LogEntry[][] = [];
  for (const part of batches) {
    const batch = decodeBatch(part, sha256);
    if (sameBytes(batch.previousHash, previous) === false) throw new DecodeError('chain broken');
    if (batch.firstSeq !== seq) throw new DecodeError('sequence broken');
    read.push([...batch.entries]);
    previous = batch.hash.slice();
    seq += BigInt(batch.entries.length);
  }
  return { read, tornAt };
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}

test('batches are read back equal, with epoch, position and chain', (t) => {
  const { bytes, entries } = smallLog();
  const { read, tornAt } = readAll(bytes);
  t.deepEqual(read, entries);
  t.is(tornAt, bytes.length);
});

test('a log cut anywhere gives exactly the batches before the cut', (t) => {
  const { bytes, batches, entries } = smallLog();
  let whole = 0;
  let end = 0;
  for (let cut = 0; cut <= bytes.length; cut++) {
    const next = batches[whole];
    if (next !== undefined && cut === end + next.length) {
      end = cut;
      whole += 1;
    }
    const { read, tornAt } = readAll(bytes.subarray(0, cut));
    t.deepEqual(read, entries.slice(0, whole), `cut at ${cut}`);
    t.is(tornAt, end);
  }
});

test('zeros from a cut to the end of the file are a torn tail too', (t) => {
  const { bytes, batches, entries } = smallLog();
  const last = batches[2]?.length ?? 0;
  for (let cut = bytes.length - last; cut < bytes.length; cut++) {
    const padded = bytes.slice();
    padded.fill(0, cut);
    t.deepEqual(readAll(padded).read, entries.slice(0, 2), `zeros from ${cut}`);
  }
  const grown = concat([bytes, new Uint8Array(500)]);
  t.deepEqual(readAll(grown), { read: entries as LogEntry[][], tornAt: bytes.length });
});

test('every single flipped bit is detected', (t) => {
  const { bytes } = smallLog();
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const flipped = bytes.slice();
    flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    t.throws(() => readAll(flipped), { instanceOf: DecodeError }, `bit ${bit}`);
  }
});

test('a batch put after another predecessor breaks the chain', (t) => {
  const { batches } = smallLog();
  const entries = sampleEntries(new Random(99), 4, 5n);
  const other = encodeBatch(entries, 1n, new Uint8Array(HASH_BYTES), sha256);
  const spliced = concat([batches[0] ?? START, other.bytes, batches[2] ?? START]);
  t.throws(() => readAll(spliced), { message: /chain broken/ });
});

test('the hash covers the predecessor, the epoch and the position', (t) => {
  const entries = sampleEntries(new Random(1), 3).filter(({ event }) => event.kind !== 'epoch');
  const renumbered = entries.map(({ event }, index) => ({ seq: BigInt(index + 1), event }));
  const moved = renumbered.map(({ seq, event }) => ({ seq: seq + 1n, event }));
  const hashes = [
    encodeBatch(renumbered, 1n, START, sha256),
    encodeBatch(renumbered, 2n, START, sha256),
    encodeBatch(moved, 1n, START, sha256),
    encodeBatch(renumbered, 1n, new Uint8Array(HASH_BYTES), sha256),
  ].map(({ hash }) => Buffer.from(hash).toString('hex'));
  t.is(new Set(hashes).size, 4);
});

test('events that repeat are compressed, and read back', (t) => {
  const bytes = new Uint8Array(200).fill(7);
  const entries = Array.from({ length: 20 }, (_, index) => ({
    seq: BigInt(index + 1),
    event: { kind: 'frame', hart: 0, step: BigInt(index), bytes } as const,
  }));
  const encoded = encodeBatch(entries, 1n, START, sha256);
  t.true(encoded.bytes.length < 400, `${encoded.bytes.length} bytes`);
  t.deepEqual(decodeBatch(encoded.bytes, sha256).entries, entries);
  const header = decodeBatchHeader(encoded.bytes);
  t.true(header.payloadBytes < header.eventBytes);
});

test('a header that promises more or fewer events than there are is refused', (t) => {
  const noise = sampleEntries(new Random(1), 3);
  for (const change of [-1, 1, 1 << 23]) {
    const { bytes } = encodeBatch(noise, 1n, START, sha256);
    const view = new DataView(bytes.buffer);
    view.setUint32(32, view.getUint32(32, true) + change, true);
    view.setUint32(68, crc32(bytes.subarray(0, 68)), true);
    t.throws(() => decodeBatch(bytes, sha256), { instanceOf: DecodeError });
  }
});

test('another format version is named', (t) => {
  const { bytes } = encodeBatch(sampleEntries(new Random(1), 2), 1n, START, sha256);
  const view = new DataView(bytes.buffer);
  view.setUint32(4, 99, true);
  view.setUint32(68, crc32(bytes.subarray(0, 68)), true);
  t.throws(() => decodeBatch(bytes, sha256), {
    instanceOf: FormatVersionError,
    message: /format version 99, this program reads version \d+$/,
  });
});

test('an epoch event of another epoch than its batch is refused', (t) => {
  const entries: LogEntry[] = [{ seq: 1n, event: { kind: 'epoch', epoch: 2n } }];
  const { bytes } = encodeBatch(entries, 1n, START, sha256);
  t.throws(() => decodeBatch(bytes, sha256), { message: /epoch event 2 in a batch of epoch 1/ });
});

test('gaps in the sequence and empty batches are assertions of the writer', (t) => {
  const [first, , third] = sampleEntries(new Random(1), 3);
  if (first === undefined || third === undefined) throw new Error('sample too small');
  const expected = { instanceOf: AssertionError };
  t.throws(() => encodeBatch([first, third], 1n, START, sha256), expected);
  t.throws(() => encodeBatch([], 1n, START, sha256), expected);
});

test('random bytes, and bytes after a good header, are refused or torn, never another error', (t) => {
  const { batches } = smallLog();
  const header = (batches[0] ?? START).subarray(0, BATCH_HEADER_BYTES);
  for (let seed = 0; seed < 3000; seed++) {
    const random = new Random(seed);
    const noise = random.bytes(300);
    const bytes = seed % 2 === 0 ? noise : concat([header, noise]);
    try {
      readAll(bytes);
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
    }
  }
  t.pass();
});

test('entries are cut at epochs and by bytes, none lost, each part within its size', (t) => {
  const entries = sampleEntries(new Random(11), 5000);
  const parts = cutBatches(entries);
  t.deepEqual(parts.flat(), entries);
  for (const part of parts) {
    t.true(part.slice(1).every(({ event }) => event.kind !== 'epoch'));
    const { bytes } = encodeBatch(part, 1n, START, sha256);
    t.true(bytes.length <= BATCH_TARGET_BYTES, `${bytes.length} bytes`);
  }
  t.deepEqual(cutBatches([]), []);
});

test('an event larger than the usual batch stands in one of its own', (t) => {
  const pages = Array.from({ length: 20_000 }, (_, page) => [page, 1n] as const);
  const large = { kind: 'state-hash', hart: 0, step: 5n, hash: 0n, words: [], pages } as const;
  const small = { kind: 'wake', hart: 0, step: 5n, time: 1n } as const;
  const entries: LogEntry[] = [small, large, small].map((event, index) => ({
    seq: BigInt(index + 1),
    event,
  }));
  t.deepEqual(
    cutBatches(entries).map(({ length }) => length),
    [1, 1, 1],
  );
});
