/**
 * Goal: a recording logs what it applies, in order, not more often than it should, and wakes when
 * there is a reason.
 * Method: the toy machine with a clock that the test moves.
 */

import test from 'ava';
import { AssertionError } from '../../../lib/base/assert.js';
import type { LogEvent } from '../../../lib/event/event.js';
import { hashWholeState } from '../../../lib/session/state-check.js';
import { Recording, recordWorkload, replayAll } from '../../support/session-run.js';

function ofKind<K extends LogEvent['kind']>(
  recording: Recording,
  kind: K,
): Extract<LogEvent, { kind: K }>[] {
  return recording.entries
    .map(({ event }) => event)
    .filter((event): event is Extract<LogEvent, { kind: K }> => event.kind === kind);
}

test('the first entry is the epoch, and numbers have no gap', (t) => {
  const { entries } = recordWorkload();
  t.deepEqual(entries[0], { seq: 1n, event: { kind: 'epoch', epoch: 1n } });
  entries.forEach(({ seq }, index) => t.is(seq, BigInt(index) + 1n));
});

test('steps never go back along the log', (t) => {
  let last = 0n;
  for (const { event } of recordWorkload().entries) {
    if (event.kind === 'epoch') continue;
    const step = event.kind === 'horizon' ? (event.steps[0] ?? 0n) : event.step;
    t.true(step >= last);
    last = step;
  }
});

test('output is handed out with the mark that covers it, once a slice and stream', (t) => {
  const recording = recordWorkload();
  for (const { seq, stream, offset, bytes } of recording.outputs) {
    const event = recording.entries.find((entry) => entry.seq === seq)?.event;
    if (event?.kind !== 'output-mark') return t.fail();
    t.is(event.stream, stream);
    t.true(event.offset >= offset + BigInt(bytes.length));
  }
  const marks = ofKind(recording, 'output-mark').map(({ step }) => step);
  t.is(new Set(marks).size, marks.length);
});

test('an idle machine logs a wake, an interrupt and one horizon a timer period', (t) => {
  const recording = new Recording();
  recording.runFor(1000);
  const horizons = ofKind(recording, 'horizon');
  t.true(horizons.length >= 95 && horizons.length <= 105, `${horizons.length} horizons in 1 s`);
  t.true(recording.entries.length <= 320, `${recording.entries.length} entries in 1 s`);
});

test('a machine at work publishes a horizon every 5 ms', (t) => {
  const recording = new Recording();
  recording.send('spin 4000000\n');
  recording.runFor(100);
  const horizons = ofKind(recording, 'horizon').length;
  t.true(horizons >= 14 && horizons <= 26, `${horizons} horizons in 100 ms`);
});

test('checks come every two million steps, and not more often for a chatty guest', (t) => {
  const recording = new Recording();
  recording.send('spin 10000000\n');
  recording.runFor(501);
  const quiet = ofKind(recording, 'state-hash').length;
  t.true(quiet >= 4 && quiet <= 6, `${quiet} checks in 10 million steps`);
  recording.send('print 100000\n');
  const from = recording.machine.step(0);
  recording.runFor(10);
  const ran = Number(recording.machine.step(0) - from);
  const chatty = ofKind(recording, 'state-hash').length - quiet;
  t.true(ran >= 90_000 && chatty <= ran / 1_000_000 + 1, `${chatty} checks in ${ran} steps`);
});

test('time follows the host while the guest works, by re-bases 50 ms apart at least', (t) => {
  const recording = new Recording();
  recording.send('spin 40000000\n');
  recording.runFor(1500);
  const rebases = ofKind(recording, 'rebase');
  t.true(rebases.length > 0 && rebases.length <= 30, `${rebases.length} re-bases in 1.5 s`);
  const hostTicks = (recording.nowNs - 1_000_000_000n) / 100n;
  const behindMs = Number(hostTicks - recording.machine.time(0)) / 10_000;
  t.true(Math.abs(behindMs) < 20, `${behindMs} ms behind`);
});

test('a parked machine sleeps until its timer, and input wakes it at once', (t) => {
  const recording = new Recording();
  let status = recording.slice();
  while (status.kind !== 'parked') status = recording.slice();
  t.is(recording.slice().kind, 'parked');
  if (status.wakeInNs === null) return t.fail();
  t.true(status.wakeInNs > 0n && status.wakeInNs <= 10_000_000n);
  recording.send('5\n');
  recording.slice();
  const kinds = recording.entries.map(({ event }) => event.kind);
  t.deepEqual(kinds.slice(kinds.indexOf('console-input')).slice(0, 2), ['console-input', 'wake']);
  t.is(recording.text(), '1 5 5\n');
});

test('input beyond the room waits and enters when there is room', (t) => {
  const recording = new Recording();
  const lines = Array.from({ length: 60 }, (_, index) => `${index + 1}\n`).join('');
  recording.send(lines);
  recording.runFor(50);
  t.true(recording.text().endsWith('60 60 1830\n'));
  t.is(recording.machine.lastInputSequence(77n), BigInt(lines.length));
  t.is(recording.logged.at(-1)?.sequence, BigInt(lines.length));
});

test('input that is already in the log is acknowledged at the present entry', (t) => {
  const recording = new Recording();
  recording.send('5\n');
  recording.runFor(5);
  const bytes = Uint8Array.from([53, 10]);
  recording.session.sendConsoleInput({ stream: 'uart', client: 77n, sequence: 2n, bytes });
  const seq = recording.session.lastSeq();
  recording.slice();
  t.is(recording.logged.at(-1)?.sequence, 2n);
  t.true((recording.logged.at(-1)?.seq ?? 0n) >= seq);
  t.is(ofKind(recording, 'console-input').length, 1);
});

test('a guest that stops ends the log with a check of everything', (t) => {
  const recording = new Recording();
  recording.send('off\n');
  const status = recording.runFor(10);
  t.deepEqual(status, { kind: 'stopped', stop: { cause: 'power-off', status: 0 } });
  const length = recording.entries.length;
  t.is(recording.slice().kind, 'stopped');
  t.is(recording.entries.length, length);
  const last = ofKind(recording, 'state-hash').at(-1);
  t.not(last?.pages, null);
  t.is(replayAll(recording.entries).session.stopped()?.cause, 'power-off');
});

test('an operator switches off by an entry', (t) => {
  const recording = new Recording();
  recording.runFor(5);
  recording.session.sendControl('power-off');
  t.is(recording.slice().kind, 'stopped');
  t.deepEqual(
    ofKind(recording, 'control').map(({ action }) => action),
    ['power-off'],
  );
  t.is(hashWholeState(replayAll(recording.entries).machine), hashWholeState(recording.machine));
});

test('a run to a step ends exactly there, and time by steps does without re-bases', (t) => {
  const recording = new Recording({ clock: 'steps', untilStep: 123_456n });
  recording.send('spin 1000000\n');
  t.is(recording.runFor(1000).kind, 'reached');
  t.is(recording.machine.step(0), 123_456n);
  t.deepEqual(ofKind(recording, 'rebase'), []);
});

test('time by steps skips idle time', (t) => {
  const recording = new Recording({ clock: 'steps', untilStep: 1000n });
  t.is(recording.runFor(1_000_000).kind, 'reached');
  t.true(recording.machine.time(0) > 10_000_000n);
});

test('without a log nothing is logged, and output has no number', (t) => {
  const recording = new Recording({ log: false });
  recording.send('5\n');
  recording.runFor(10);
  t.deepEqual(recording.entries, []);
  t.is(recording.outputs[0]?.seq, 0n);
  t.is(recording.text(), '1 5 5\n');
});

test('an epoch that is not newer is a broken invariant', (t) => {
  const recording = new Recording({ epoch: 4n });
  recording.runFor(5);
  const state = recording.session.state();
  t.throws(() => new Recording({ machine: recording.machine, state, epoch: 4n }), {
    instanceOf: AssertionError,
  });
});
