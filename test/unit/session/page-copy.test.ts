/**
 * Goal: a machine that is copied while it runs arrives as it is at the last step, whatever was
 * written between any two steps of the copy.
 * Method: a toy machine whose pages are written at random between the steps, copied into a table
 * and completed by the snapshot; seeds.
 */

import test from 'ava';
import { ByteReader } from '../../../lib/base/bytes.js';
import { readPages } from '../../../lib/session/page-runs.js';
import { PageStore } from '../../../lib/session/page-store.js';
import { encodeSnapshot, restoreSnapshot } from '../../../lib/session/snapshot.js';
import { hashWholeState } from '../../../lib/session/state-check.js';
import { newToy, Recording } from '../../support/session-run.js';
import { random } from '../device/rig.js';

const FIRST_FREE_PAGE = 40;

/** Writes some pages, some of them empty, as the guest would. */
function scribble(recording: Recording, below: (limit: number) => number): void {
  for (let count = below(6); count > 0; count--) {
    const page = FIRST_FREE_PAGE + below(20);
    recording.machine.ram.fill(below(3), page * 4096, (page + 1) * 4096);
    recording.machine.markDirty(page);
  }
}

test('a machine copied in rounds arrives as it is at the end (40 seeds)', (t) => {
  for (let seed = 1; seed <= 40; seed++) {
    const below = random(seed * 31);
    const recording = new Recording();
    recording.send('spin 60000\n');
    recording.runFor(1);
    const copied = new PageStore();
    const { session } = recording;
    scribble(recording, below);
    session.copyPages('begin');
    for (let round = 0; round < 3; round++) {
      for (let left = 1; left > 0;) {
        scribble(recording, below);
        const part = session.copyPages('next');
        if (part.pages > 0) {
          const pages = readPages(new ByteReader(part.bytes), recording.machine.pageCount);
          t.is(pages.length, part.pages);
          for (const [page, bytes] of pages) copied.put(page, bytes);
        }
        left = part.left;
        if (below(3) === 0) session.checkPages();
        recording.runFor(1);
      }
      // The last round ends early, as for a guest that is stopped in the middle of it.
      if (round < 2) session.copyPages('round');
      if (below(4) === 0) break;
    }
    scribble(recording, below);
    const { bytes } = session.snapshot();
    const target = newToy();
    const state = restoreSnapshot(target, bytes, copied.stored());
    t.is(hashWholeState(target), hashWholeState(recording.machine), `seed ${seed}`);
    // What the target would give away is whole.
    const third = newToy();
    restoreSnapshot(third, encodeSnapshot(target, state));
    t.is(hashWholeState(third), hashWholeState(target), `seed ${seed}`);
  }
});

test('a copy that is abandoned leaves no trace: the next snapshot is whole', (t) => {
  const recording = new Recording();
  recording.send('spin 60000\n');
  recording.runFor(1);
  recording.session.copyPages('begin');
  recording.session.copyPages('next');
  recording.session.copyPages('abandon');
  const { bytes } = recording.session.snapshot();
  const target = newToy();
  restoreSnapshot(target, bytes);
  t.is(hashWholeState(target), hashWholeState(recording.machine));
});

test('pages that the machine does not have are refused', (t) => {
  const recording = new Recording();
  recording.runFor(1);
  const { bytes } = recording.session.snapshot();
  const copied = new PageStore();
  copied.put(recording.machine.pageCount, new Uint8Array(4096));
  t.throws(() => restoreSnapshot(newToy(), bytes, copied.stored()), { code: 'BAD_SNAPSHOT' });
});
