/**
 * Goal: a snapshot gives back the machine it was taken of, or is refused whole.
 * Method: round trips of a machine in the middle of work; the bytes cut at every length (of the
 * head) and flipped at many places.
 */

import test from 'ava';
import { LockstepError } from '../../../lib/base/error.js';
import { restoreSnapshot } from '../../../lib/session/snapshot.js';
import { hashWholeState } from '../../../lib/session/state-check.js';
import { newToy, Recording, replayAll } from '../../support/session-run.js';
import { ReplaySession } from '../../../lib/session/replay-session.js';
import { TOY_CONFIG, TOY_IMAGES, ToyMachine } from '../../support/toy-machine.js';

function busyRecording(): Recording {
  const recording = new Recording();
  for (let number = 1; number <= 9; number++) recording.send(`${number}\n`);
  recording.send('spin 60000\n');
  recording.runFor(1);
  recording.slice();
  return recording;
}

function refusal(bytes: Uint8Array, machine = newToy()): LockstepError | null {
  const before = hashWholeState(machine);
  try {
    restoreSnapshot(machine, bytes);
    return null;
  } catch (error) {
    if (!(error instanceof LockstepError) || error.code !== 'BAD_SNAPSHOT') throw error;
    if (hashWholeState(machine) !== before) {
      throw new Error('restored in part', { cause: error });
    }
    return error;
  }
}

test('a machine restored goes on with the log as the original did', (t) => {
  const recording = busyRecording();
  const { seq, bytes } = recording.session.snapshot();
  recording.collect();
  t.is(recording.entries.at(-1)?.seq, seq);
  const copy = newToy();
  const state = restoreSnapshot(copy, bytes);
  t.is(hashWholeState(copy), hashWholeState(recording.machine));
  t.is(state.seq, seq);
  recording.send('7\n');
  recording.runFor(50);
  recording.session.checkPages();
  recording.collect();
  const session = new ReplaySession({ machine: copy, state });
  session.feed(recording.entries.slice(Number(seq)));
  t.is(session.advance(100_000_000n), 'caught-up');
  t.is(hashWholeState(copy), hashWholeState(recording.machine));
  const tail = session.outputsFrom('uart', 0n);
  t.is(String.fromCharCode(...tail.bytes), recording.text().slice(Number(tail.offset)));
});

test('a snapshot in the log changes nothing for those who follow from the start', (t) => {
  const recording = busyRecording();
  recording.session.snapshot();
  recording.send('7\n');
  recording.runFor(50);
  recording.session.checkPages();
  recording.collect();
  const { machine } = replayAll(recording.entries);
  t.is(hashWholeState(machine), hashWholeState(recording.machine));
});

test('a recording can begin from a snapshot, with a log of its own', (t) => {
  const recording = busyRecording();
  const { bytes } = recording.session.snapshot();
  const machine = newToy();
  const state = { ...restoreSnapshot(machine, bytes), seq: 0n, epoch: 0n };
  const heir = new Recording({ machine, state });
  heir.send('1\n');
  heir.runFor(50);
  heir.session.checkPages();
  heir.collect();
  t.is(heir.entries[0]?.seq, 1n);
  const copy = newToy();
  const session = new ReplaySession({
    machine: copy,
    state: { ...restoreSnapshot(copy, bytes), seq: 0n, epoch: 0n },
  });
  session.feed(heir.entries);
  t.is(session.advance(100_000_000n), 'caught-up');
  t.is(hashWholeState(copy), hashWholeState(machine));
});

test('a snapshot of another machine is refused, and says so', (t) => {
  const { bytes } = busyRecording().session.snapshot();
  const other = new ToyMachine({ ...TOY_CONFIG, append: 'other' }, TOY_IMAGES);
  t.regex(refusal(bytes, other)?.message ?? '', /configuration, images or version differ/);
});

test('a snapshot cut anywhere is refused', (t) => {
  const { bytes } = busyRecording().session.snapshot();
  for (let length = 0; length < bytes.length; length += length < 1500 ? 1 : 997) {
    t.truthy(refusal(bytes.subarray(0, length)), `${length} bytes`);
  }
  t.truthy(refusal(Uint8Array.from([...bytes, 0])));
});

test('a flipped bit anywhere is refused', (t) => {
  const { bytes } = busyRecording().session.snapshot();
  for (let at = 0; at < bytes.length; at += at < 600 ? 1 : 499) {
    const flipped = bytes.slice();
    flipped[at] = (flipped[at] ?? 0) ^ (1 << (at % 8));
    t.truthy(refusal(flipped), `byte ${at}`);
  }
});
