/**
 * Goal: a full disk is reported with its path, loses nothing that was written, and stops the
 * writer. Method: a tmpfs of 256 KiB, which only root may mount; skipped with a word elsewhere.
 */

import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import test from 'ava';
import { LockstepError } from '../../../../lib/base/error.js';
import type { LogEntry } from '../../../../lib/event/event.js';
import { LogWriter } from '../../../../lib/host/log-store/writer.js';
import { smallDisk } from '../../../support/small-disk.js';
import { DIGEST, META, nextBatch, readLog } from './fixture.js';

/** Appends until the disk is full; the failure, and what was appended before it. */
function fill(writer: LogWriter): { failure: unknown; batches: LogEntry[][] } {
  const batches: LogEntry[][] = [];
  for (let seed = 0; seed < 100_000; seed++) {
    const { encoded, entries } = nextBatch(writer.position, seed, 20);
    try {
      writer.append(encoded);
    } catch (failure) {
      return { failure, batches };
    }
    batches.push(entries);
  }
  return { failure: null, batches };
}

for (const segmentBytes of [1_000_000, 8192]) {
  test(`a full disk is IO and loses nothing (segments of ${segmentBytes})`, async (t) => {
    const disk = smallDisk(t);
    if (disk === null) return;
    const directory = join(disk, 'log');
    const options = { flush: 'memory', segmentBytes } as const;
    const writer = LogWriter.create(directory, META, options);
    const { failure, batches } = fill(writer);
    t.true(failure instanceof LockstepError && failure.code === 'IO');
    t.regex(String(failure), /\/log\/\d{8}\.seg: no space left on the device \(ENOSPC\)/);
    t.true(batches.length > 10);
    const again = nextBatch(writer.position, 1, 1).encoded;
    t.throws(() => writer.append(again), { message: /ENOSPC/ });
    await writer.close();
    const { batches: read, end } = readLog(directory);
    t.is(read.length, batches.length);
    t.deepEqual(read.at(-1), batches.at(-1));
    t.is(end.tornBytes, 0);
    const reopened = LogWriter.openForAppend(directory, DIGEST, options);
    t.is(reopened.writer.position.nextSeq, writer.position.nextSeq);
    await reopened.writer.close();
  });
}

test('a log that does not fit from the start is IO', (t) => {
  const disk = smallDisk(t);
  if (disk === null) return;
  spawnSync('dd', ['if=/dev/zero', `of=${join(disk, 'filler')}`, 'bs=4096', 'count=100']);
  const create = (): LogWriter =>
    LogWriter.create(join(disk, 'log'), META, { flush: 'memory', segmentBytes: 4096 });
  const error = t.throws(create, { instanceOf: LockstepError });
  t.is(error?.code, 'IO');
});
