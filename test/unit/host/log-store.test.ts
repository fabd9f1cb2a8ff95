/**
 * Goal: a log gives back exactly what was appended; a crash costs at most the batch being
 * written; no damage goes unnoticed. Method: small logs in small segments, every cut of the last
 * batch, every flipped bit of every file, splices and swaps by hand.
 */

import { copyFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { LockstepError } from '../../../lib/base/error.js';
import { crc32 } from '../../../lib/base/crc32.js';
import { BATCH_HEADER_BYTES, encodeBatch } from '../../../lib/event/batch.js';
import { LogReader } from '../../../lib/host/log-store/reader.js';
import { segmentName } from '../../../lib/host/log-store/segment.js';
import { sha256 } from '../../../lib/host/log-store/sha256.js';
import { LogWriter } from '../../../lib/host/log-store/writer.js';
import { Random, sampleEntries } from '../event/sample.js';
import {
  DIGEST,
  META,
  nextBatch,
  readFiles,
  readLog,
  smallLog,
  temporaryDirectory,
} from './log-store/fixture.js';

const MEMORY = { flush: 'memory', segmentBytes: 600 } as const;

function bytesOf(files: ReadonlyMap<string, Uint8Array>, name: string): Uint8Array {
  const bytes = files.get(name);
  if (bytes === undefined) throw new Error(`no file ${name}`);
  return bytes;
}

test('what was appended is read back, over several segments, with its meta', async (t) => {
  const { directory, batches } = await smallLog(t, 9);
  const files = [...readFiles(directory).keys()];
  t.true(files.length >= 4, files.join(' '));
  const { batches: read, end } = readLog(directory);
  t.deepEqual(read, batches);
  t.is(end.tornBytes, 0);
  t.is(end.nextSeq, 37n);
  t.deepEqual(LogReader.open(directory).meta, META);
});

test('files are for their owner only', async (t) => {
  const { directory } = await smallLog(t, 3);
  t.is(statSync(directory).mode & 0o777, 0o700);
  for (const name of readFiles(directory).keys()) {
    t.is(statSync(join(directory, name)).mode & 0o777, 0o600, name);
  }
});

test('a segment can be read by itself', async (t) => {
  const { directory, batches } = await smallLog(t, 9);
  const { batches: read } = readLog(join(directory, segmentName(2)));
  const first = read[0]?.[0]?.seq;
  t.deepEqual(
    read,
    batches
      .filter((entries) => entries[0] !== undefined && entries[0].seq >= (first ?? 0n))
      .slice(0, read.length),
  );
  t.true(read.length > 0);
});

test('a log goes on after it was closed, with the same chain', async (t) => {
  const { directory, batches } = await smallLog(t, 3);
  const { writer, tornBytes, meta } = LogWriter.openForAppend(directory, DIGEST, MEMORY);
  t.is(tornBytes, 0);
  t.deepEqual(meta, META);
  const more = nextBatch(writer.position, 7);
  writer.append(more.encoded);
  await writer.close();
  t.deepEqual(readLog(directory).batches, [...batches, more.entries]);
});

test('a log may begin at a snapshot', async (t) => {
  const directory = join(temporaryDirectory(t), 'log');
  const start = { firstSeq: 1000n, previousHash: new Uint8Array(32).fill(9) };
  const writer = LogWriter.create(directory, { ...META, start }, MEMORY);
  const { encoded, entries } = nextBatch(writer.position, 1);
  writer.append(encoded);
  await writer.close();
  t.deepEqual(readLog(directory).batches, [entries]);
});

test('a log cut at every byte of its last batch opens with exactly the batches before', async (t) => {
  const { directory, batches } = await smallLog(t, 4, 4000);
  const path = join(directory, segmentName(1));
  const whole = bytesOf(readFiles(directory), segmentName(1));
  const starts = [...LogReader.open(directory).batches()].map(({ offset }) => offset);
  const last = starts.at(-1) ?? 0;
  const before = batches.slice(0, -1);
  for (let cut = last; cut < whole.length; cut++) {
    writeFileSync(path, whole.subarray(0, cut));
    const { batches: read, end } = readLog(directory);
    t.is(read.length, before.length);
    t.is(end.tornBytes, cut - last);
    const { writer, tornBytes } = LogWriter.openForAppend(directory, DIGEST, MEMORY);
    t.is(tornBytes, cut - last);
    t.is(statSync(path).size, last);
    t.deepEqual(writer.position.hash, end.hash);
    await writer.close();
  }
  t.deepEqual(readLog(directory).batches, before);
  const { writer } = LogWriter.openForAppend(directory, DIGEST, MEMORY);
  const more = nextBatch(writer.position, 5);
  writer.append(more.encoded);
  await writer.close();
  t.deepEqual(readLog(directory).batches, [...before, more.entries]);
});

test('a segment cut within its header, or grown with zeros, is a torn tail', async (t) => {
  const { directory, batches } = await smallLog(t, 9);
  const files = readFiles(directory);
  const name = [...files.keys()].filter((file) => file.endsWith('.seg')).at(-1) ?? '';
  const path = join(directory, name);
  const kept = batches.length - readLog(path).batches.length;
  for (let cut = 0; cut < 84; cut++) {
    for (const zeros of [0, 200]) {
      const torn = new Uint8Array(cut + zeros);
      torn.set(bytesOf(files, name).subarray(0, cut));
      writeFileSync(path, torn);
      const { batches: read, end } = readLog(directory);
      t.is(read.length, kept, `cut ${cut}`);
      t.is(end.tornBytes, cut + zeros);
    }
  }
  const { writer } = LogWriter.openForAppend(directory, DIGEST, MEMORY);
  const more = nextBatch(writer.position, 5);
  writer.append(more.encoded);
  await writer.close();
  t.deepEqual(readLog(directory).batches, [...batches.slice(0, kept), more.entries]);
});

test('every single flipped bit in any file of the log is detected', async (t) => {
  const { directory } = await smallLog(t, 4, 400);
  const files = readFiles(directory);
  t.true(files.size >= 3);
  let flips = 0;
  const missed: string[] = [];
  for (const [name, bytes] of files) {
    const path = join(directory, name);
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const flipped = Uint8Array.from(bytes);
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      writeFileSync(path, flipped);
      if (!isDamaged(directory)) missed.push(`${name} bit ${bit}`);
      flips += 1;
    }
    writeFileSync(path, bytes);
  }
  t.log(`${flips} bits`);
  t.deepEqual(missed, []);
});

/** True if reading ends in BAD_LOG; any other error fails the test. */
function isDamaged(directory: string): boolean {
  try {
    LogReader.open(directory).verify();
    return false;
  } catch (error) {
    if (error instanceof LockstepError && error.code === 'BAD_LOG') return true;
    throw error;
  }
}

test('damage is named by file, offset and sequence number', async (t) => {
  const { directory } = await smallLog(t, 9);
  const name = segmentName(2);
  const path = join(directory, name);
  const bytes = Uint8Array.from(bytesOf(readFiles(directory), name));
  bytes[84 + BATCH_HEADER_BYTES] = (bytes[84 + BATCH_HEADER_BYTES] ?? 0) ^ 1;
  writeFileSync(path, bytes);
  const before = [...LogReader.open(join(directory, segmentName(1))).batches()];
  const seq = before.reduce((sum, { batch }) => sum + BigInt(batch.entries.length), 1n);
  const error = t.throws(() => readLog(directory), { instanceOf: LockstepError });
  t.deepEqual(error?.fields, { file: path, offset: 84, seq });
  t.regex(error?.message ?? '', /damaged at byte 84, sequence number \d+: payload CRC/);
});

test('a batch cut short before the last segment is damage, not a torn tail', async (t) => {
  const { directory } = await smallLog(t, 9);
  const path = join(directory, segmentName(1));
  truncateSync(path, statSync(path).size - 3);
  t.throws(() => readLog(directory), { message: /cut short within the log/ });
});

test('a missing segment is named', async (t) => {
  const { directory } = await smallLog(t, 9);
  rmSync(join(directory, segmentName(2)));
  t.throws(() => readLog(directory), { message: /00000002\.seg: this segment .* missing/ });
});

test('swapped segments and batches of another history are detected', async (t) => {
  const { directory } = await smallLog(t, 9);
  const files = readFiles(directory);
  writeFileSync(join(directory, segmentName(1)), bytesOf(files, segmentName(2)));
  t.throws(() => readLog(directory), { message: /sequence number \d+ stands here/ });
  writeFileSync(join(directory, segmentName(1)), bytesOf(files, segmentName(1)));

  // A well-formed batch with the right numbers that follows another predecessor.
  const end = LogReader.open(directory).verify();
  const entries = sampleEntries(new Random(3), 2, end.nextSeq);
  const forged = encodeBatch(entries, 1n, new Uint8Array(32), sha256);
  const last = [...files.keys()].filter((file) => file.endsWith('.seg')).at(-1) ?? '';
  const spliced = Buffer.concat([bytesOf(files, last), forged.bytes]);
  writeFileSync(join(directory, last), spliced);
  const error = t.throws(() => readLog(directory), { message: /hash chain/ });
  t.is(error instanceof LockstepError ? error.fields['seq'] : null, end.nextSeq);
});

test('an epoch that goes back is damage', async (t) => {
  const { directory } = await smallLog(t, 2);
  const { writer } = LogWriter.openForAppend(directory, DIGEST, MEMORY);
  const { hash, nextSeq } = writer.position;
  const entries = [{ seq: nextSeq, event: { kind: 'epoch', epoch: 0n } as const }];
  writer.append(encodeBatch(entries, 0n, hash, sha256));
  await writer.close();
  t.throws(() => readLog(directory), { message: /epoch 0 after epoch 1/ });
});

test('a log of another machine is refused, and so is a segment of one', async (t) => {
  const { directory } = await smallLog(t, 2);
  t.throws(() => LogWriter.openForAppend(directory, '77'.repeat(32), MEMORY), {
    message: /is the log of machine 5a5a.*, not of 7777/,
  });
  const other = join(temporaryDirectory(t), 'log');
  const digest = '77'.repeat(32);
  const start = { firstSeq: 1n, previousHash: new Uint8Array(32).fill(0x77) };
  const writer = LogWriter.create(other, { ...META, machineDigest: digest, start }, MEMORY);
  await writer.close();
  copyFileSync(join(other, segmentName(1)), join(directory, segmentName(1)));
  t.throws(() => readLog(directory), { message: /belongs to another machine/ });
});

test('another format version is named (segment, meta)', async (t) => {
  const { directory } = await smallLog(t, 2);
  const files = readFiles(directory);
  const path = join(directory, segmentName(1));
  const bytes = Uint8Array.from(bytesOf(files, segmentName(1)));
  const view = new DataView(bytes.buffer);
  view.setUint32(4, 99, true);
  view.setUint32(80, crc32(bytes.subarray(0, 80)), true);
  writeFileSync(path, bytes);
  const error = t.throws(() => readLog(directory), {
    message: /00000001\.seg: format version 99, this program reads version \d+$/,
  });
  t.is(error instanceof LockstepError ? error.code : '', 'BAD_LOG');

  const meta = Buffer.from(bytesOf(files, 'meta.json')).toString();
  const metaPath = join(directory, 'meta.json');
  writeFileSync(metaPath, meta.replace(/"formatVersion": \d+/, '"formatVersion": 99'));
  t.throws(() => readLog(directory), { message: /log format version 99; this program reads \d+$/ });
});

test('an edited meta.json is refused', async (t) => {
  const { directory } = await smallLog(t, 2);
  const path = join(directory, 'meta.json');
  const meta = Buffer.from(bytesOf(readFiles(directory), 'meta.json')).toString();
  writeFileSync(path, meta.replace('"harts": 1', '"harts": 2'));
  t.throws(() => readLog(directory), { message: /checksum/ });
  writeFileSync(path, '{}');
  t.throws(() => readLog(directory), { message: /formatVersion is not a number/ });
  writeFileSync(path, '[1');
  t.throws(() => readLog(directory), { message: /not JSON/ });
});

test('a new log is not put into a directory that holds something', async (t) => {
  const { directory } = await smallLog(t, 2);
  const error = t.throws(() => LogWriter.create(directory, META, MEMORY), {
    instanceOf: LockstepError,
  });
  t.is(error?.code, 'USAGE');
});

test('a missing log and an unreadable place are IO, with the path', (t) => {
  const error = t.throws(() => LogReader.open('/nonexistent/log'), { instanceOf: LockstepError });
  t.is(error?.code, 'IO');
  t.regex(error?.message ?? '', /\/nonexistent\/log: no such file or directory \(ENOENT\)/);
  const file = join(temporaryDirectory(t), 'file');
  writeFileSync(file, '');
  t.throws(() => LogWriter.create(join(file, 'log'), META, MEMORY), {
    message: /not a directory|exists already/,
  });
});

test('durable: flush returns once the bytes are flushed, and waiters share a flush', async (t) => {
  const directory = join(temporaryDirectory(t), 'log');
  const writer = LogWriter.create(directory, META, { flush: 'durable', segmentBytes: 600 });
  const waits: Promise<void>[] = [];
  for (let index = 0; index < 20; index++) {
    writer.append(nextBatch(writer.position, index).encoded);
    t.true(writer.unflushedBytes > 0);
    waits.push(writer.flush());
  }
  await Promise.all(waits);
  t.is(writer.unflushedBytes, 0);
  await writer.close();
  t.is(readLog(directory).batches.length, 20);
});
