/**
 * Goal: a log that leaves out one event, or has it one step too early or too late, does not replay.
 * Method: a recorded boot of Debian is changed by one event of each kind, with sequence numbers,
 * checksums and hash chain put in order, so that only what is said differs. What comes early in a
 * boot goes through the real command; what comes late through a host that starts from a copy of
 * the machine. A log whose steps go back can't be written, so a move never passes a neighbour.
 *
 * A change is found at the next check, which covers the events before it. So the last entries of a
 * log, after its last check, can be left out: that is a shorter recording.
 */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { EXIT_STATUS } from '../../lib/base/error.js';
import type { EventKind } from '../../lib/event/event.js';
import { debianRecording, type DebianRecording } from '../support/debian-recording.js';
import {
  copyBeforeInput,
  isInOrder,
  movableOf,
  replayFrom,
  upToCheckAfter,
  type MachineCopy,
} from '../support/debian-replay.js';
import { writeLog } from '../support/edited-log.js';
import { lockstep } from '../support/lockstep-process.js';
import { edits } from '../support/replay-faults.js';

const LIMIT_MS = 900_000;
/** Checks to which a changed log goes on, so that a change which nobody finds shows soon. */
const CHECKS_AFTER = 3;
const EARLY: readonly EventKind[] = ['epoch', 'rebase', 'output-mark', 'state-hash', 'horizon'];
const LATE: readonly EventKind[] = ['console-input', 'entropy', 'wake', 'interrupt'];

for (const kind of EARLY) {
  test.serial(`the command refuses a log with one event deleted or moved (${kind})`, async (t) => {
    t.timeout(LIMIT_MS);
    const recording = await debianRecording(t);
    if (recording === null) return;
    const folder = await mkdtemp(join(tmpdir(), 'lockstep-edit-'));
    t.teardown(() => rm(folder, { recursive: true }));
    const { meta, entries } = recording.log;
    const index = movableOf(entries, kind);
    const part = upToCheckAfter(entries, BigInt(index + 1), CHECKS_AFTER);
    const writable = edits(part, index).filter(([, events]) => isInOrder(events));
    for (const [edit, events] of writable) {
      const log = join(folder, edit);
      await writeLog(log, meta, events);
      const { status, stderr } = await lockstep(['replay', '--log', log]);
      t.is(status, EXIT_STATUS.DIVERGED, `${edit}: ${stderr}`);
      t.log(`${edit}: ${stderr.trim()}`);
    }
  });
}

let copy: MachineCopy | null = null;

/** The log after the copy. */
function rest({ log }: DebianRecording, { seq }: MachineCopy): DebianRecording['log'] {
  const entries = log.entries.filter((entry) => entry.seq > seq);
  return { meta: log.meta, entries };
}

test.serial('a host that starts from a copy finds nothing in the log as it is', async (t) => {
  t.timeout(LIMIT_MS);
  const recording = await debianRecording(t);
  if (recording === null) return;
  copy = copyBeforeInput(recording.log);
  t.is(await replayFrom(copy, rest(recording, copy)), null);
});

for (const kind of LATE) {
  test.serial(`a host refuses a log with one event deleted or moved (${kind})`, async (t) => {
    t.timeout(LIMIT_MS);
    const recording = await debianRecording(t);
    if (recording === null) return;
    copy ??= copyBeforeInput(recording.log);
    const { seq } = copy;
    const { meta, entries } = rest(recording, copy);
    const index = entries.findIndex(({ event }) => event.kind === kind);
    const part = upToCheckAfter(entries, seq + BigInt(index + 1), CHECKS_AFTER);
    for (const [edit, events] of edits(part, index)) {
      const numbered = events.map((event, at) => ({ seq: seq + BigInt(at + 1), event }));
      const error = await replayFrom(copy, { meta, entries: numbered });
      t.is(error?.code, 'DIVERGED', `${edit} is not found`);
      t.log(`${edit}: ${error?.message ?? ''}`);
    }
  });
}
