/**
 * Goal: replay equals record, and whatever differs is found and named.
 * Method: one recorded workload of the toy machine; replayed as it is, in other portions, and with
 * every entry deleted, every point moved by one step, every kind of content changed in turn.
 */

import test from 'ava';
import { LockstepError } from '../../../lib/base/error.js';
import type { EpochEvent, LogEntry, LogEvent } from '../../../lib/event/event.js';
import { hash64 } from '../../../lib/base/hash.js';
import { ReplaySession } from '../../../lib/session/replay-session.js';
import { freshState } from '../../../lib/session/session-state.js';
import { hashWholeState } from '../../../lib/session/state-check.js';
import {
  newToy,
  Recording,
  recordWorkload,
  renumber,
  replayAll,
} from '../../support/session-run.js';

const workload = recordWorkload();
/** A shorter log for the tests that replay it once for each entry. */
const short = (() => {
  const recording = new Recording();
  for (let number = 1; number <= 9; number++) {
    recording.send(`${number}\n`);
    recording.runFor(5);
  }
  recording.send('spin 1500000\n');
  recording.runFor(80);
  recording.send('print 3\n');
  recording.runFor(5);
  recording.session.checkPages();
  recording.collect();
  return recording;
})();

function divergence(entries: readonly LogEntry[]): LockstepError | null {
  try {
    replayAll(entries);
    return null;
  } catch (error) {
    if (error instanceof LockstepError) return error;
    throw error;
  }
}

test('the workload has every kind of event that one hart can have', (t) => {
  const kinds = new Set(workload.entries.map(({ event }) => event.kind));
  t.deepEqual([...kinds].sort(), [
    'console-input',
    'entropy',
    'epoch',
    'horizon',
    'interrupt',
    'output-mark',
    'rebase',
    'state-hash',
    'wake',
  ]);
  t.true(workload.entries.some(({ event }) => event.kind === 'state-hash' && event.pages !== null));
});

test('replay ends in the same state as the recording', (t) => {
  const { machine, session } = replayAll(workload.entries);
  t.is(session.lastSeq(), workload.session.lastSeq());
  t.is(machine.step(0), workload.machine.step(0));
  t.is(hashWholeState(machine), hashWholeState(workload.machine));
});

test('replay does not depend on how it is cut into portions', (t) => {
  const whole = hashWholeState(replayAll(workload.entries).machine);
  for (const budget of [1n, 7n, 999n, 20_001n]) {
    const entries = budget < 100n ? workload.entries.slice(0, 120) : workload.entries;
    const expected =
      entries === workload.entries ? whole : hashWholeState(replayAll(entries).machine);
    t.is(hashWholeState(replayAll(entries, budget).machine), expected, `budget ${budget}`);
  }
});

test('replay stands at the last entry known and goes no further', (t) => {
  for (let count = 1; count <= short.entries.length; count += 7) {
    const entries = short.entries.slice(0, count);
    const { machine, session } = replayAll(entries);
    t.is(session.lastSeq(), BigInt(count));
    const last = Math.max(
      ...entries.map(({ event }) =>
        event.kind === 'epoch'
          ? 0
          : Number(event.kind === 'horizon' ? event.steps[0] : event.step) +
            (event.kind === 'interrupt' ? 1 : 0),
      ),
    );
    t.is(Number(machine.step(0)), last);
  }
});

test('a gap in the sequence numbers is refused', (t) => {
  const machine = newToy();
  const session = new ReplaySession({ machine, state: freshState(machine, 1n) });
  const [first, , third] = short.entries;
  if (first === undefined || third === undefined) return t.fail();
  t.throws(() => session.feed([first, third]), { code: 'BAD_LOG' });
});

test('deleting any one entry before the last is detected', (t) => {
  short.entries.forEach(({ event }, index) => {
    if (index === short.entries.length - 1) return;
    const rest = short.entries.filter((_, at) => at !== index);
    const error = divergence(renumber(rest));
    t.is(error?.code, 'DIVERGED', `entry ${index + 1}, ${event.kind}`);
  });
});

test('moving any one entry by one step is detected', (t) => {
  for (const delta of [1n, -1n]) {
    short.entries.forEach(({ seq, event }, index) => {
      if (event.kind === 'epoch') return;
      const moved = { seq, event: shifted(event, delta) };
      const entries = short.entries.map((entry, at) => (at === index ? moved : entry));
      const error = divergence(entries);
      t.is(error?.code, 'DIVERGED', `entry ${seq}, ${event.kind}, by ${delta}`);
    });
  }
});

function shifted(event: Exclude<LogEvent, EpochEvent>, delta: bigint): LogEvent {
  if (event.kind !== 'horizon') return { ...event, step: event.step + delta };
  return { ...event, steps: event.steps.map((step) => step + delta) };
}

/** The first entry of a kind, with its event changed. */
function changed<K extends LogEvent['kind']>(
  kind: K,
  change: (event: Extract<LogEvent, { kind: K }>) => LogEvent,
): LogEntry[] {
  const index = short.entries.findIndex(({ event }) => event.kind === kind);
  return short.entries.map((entry, at) =>
    at === index
      ? { seq: entry.seq, event: change(entry.event as Extract<LogEvent, { kind: K }>) }
      : entry,
  );
}

test('changed contents of an entry are detected', (t) => {
  const cases: Readonly<Record<string, LogEntry[]>> = {
    'input byte': changed('console-input', (event) => ({
      ...event,
      bytes: event.bytes.map((byte, at) => (at === 0 ? byte ^ 1 : byte)),
    })),
    client: changed('console-input', (event) => ({ ...event, client: event.client + 1n })),
    'entropy byte': changed('entropy', (event) => ({ ...event, bytes: event.bytes.map(() => 99) })),
    'too much entropy': changed('entropy', (event) => ({ ...event, bytes: new Uint8Array(64) })),
    rate: changed('rebase', (event) => ({ ...event, rate: event.rate + 1n })),
    'wake time': changed('wake', (event) => ({ ...event, time: event.time + 200_000n })),
    cause: changed('interrupt', (event) => ({ ...event, cause: 5 })),
    digest: changed('output-mark', (event) => ({ ...event, digest: event.digest ^ 1n })),
    offset: changed('output-mark', (event) => ({ ...event, offset: event.offset + 1n })),
    hash: changed('state-hash', (event) => ({ ...event, hash: event.hash ^ 1n })),
  };
  for (const [name, entries] of Object.entries(cases)) {
    t.is(divergence(entries)?.code, 'DIVERGED', name);
  }
});

test('a wake back in time is a divergence, not a crash', (t) => {
  const wakes = short.entries.filter(({ event }) => event.kind === 'wake');
  const last = wakes.at(-1);
  const entries = short.entries.map((entry): LogEntry =>
    entry === last && entry.event.kind === 'wake'
      ? { seq: entry.seq, event: { ...entry.event, time: 0n } }
      : entry,
  );
  t.is(divergence(entries)?.fields['what'], 'time');
});

/** Replays up to the last state hash with pages, lets `damage` loose just before it. */
function damageBeforeCheck(damage: (machine: ReturnType<typeof newToy>) => void): LockstepError {
  const { machine, session } = replayAll(short.entries.slice(0, -1));
  damage(machine);
  session.feed(short.entries.slice(-1));
  try {
    session.advance(1000n);
  } catch (error) {
    if (error instanceof LockstepError) return error;
    throw error;
  }
  throw new Error('the damage was not found');
}

test('a flipped bit in any word is found at the next check and named with both values', (t) => {
  const words = newToy().words().length;
  for (let word = 0; word < words; word++) {
    const error = damageBeforeCheck((machine) => {
      // Bits 40 up: high enough not to make the toy take another path before the check.
      machine.state[word] = (machine.state[word] ?? 0n) ^ (1n << 40n);
    });
    t.is(error.code, 'DIVERGED');
    const name = newToy().wordName(word);
    if (name === 'toy.step') t.is(error.fields['what'], 'point of the entry');
    else {
      t.is(error.fields['what'], name);
      t.not(error.fields['expected'], error.fields['actual']);
    }
  }
});

test('a flipped bit in a page written since the last check is found with the page', (t) => {
  const last = short.entries.at(-1)?.event;
  if (last?.kind !== 'state-hash' || last.pages === null) return t.fail();
  for (const [page] of last.pages) {
    const error = damageBeforeCheck((machine) => {
      const at = page * 4096 + 123;
      machine.ram[at] = (machine.ram[at] ?? 0) ^ 4;
    });
    t.regex(String(error.fields['what']), new RegExp(`^page ${page} \\(0x8`));
    t.regex(String(error.fields['actual']), /^hash 0x/);
  }
});

test('a page written on one side only is found', (t) => {
  const error = damageBeforeCheck((machine) => machine.markDirty(60));
  t.like(error.fields, { actual: error.fields['actual'], expected: 'not written' });
  t.regex(String(error.fields['what']), /^page 60 /);
});

test('after a divergence the session refuses to go on or to be promoted', (t) => {
  const { machine, session } = replayAll(short.entries.slice(0, -1));
  machine.state[11] = 12345n;
  session.feed(short.entries.slice(-1));
  t.throws(() => session.advance(1000n), { code: 'DIVERGED' });
  t.throws(() => session.advance(1000n), { code: 'DIVERGED' });
  t.throws(() => session.promote(), { code: 'DIVERGED' });
});

test('swallowed output is kept, and begins where it is asked for', (t) => {
  const { session } = replayAll(workload.entries);
  const all = session.outputsFrom('uart', 0n);
  t.is(String.fromCharCode(...all.bytes), workload.text());
  const end = session.outputsFrom('uart', BigInt(all.bytes.length) - 5n);
  t.is(String.fromCharCode(...end.bytes), workload.text().slice(-5));
});

test('a promoted replay goes on as the recording would have, at the next byte', (t) => {
  for (let count = 1; count <= short.entries.length; count += 3) {
    const { machine, session } = replayAll(short.entries.slice(0, count));
    const before = session.outputsFrom('uart', 0n);
    const heir = new Recording({ machine, state: session.promote(), epoch: 2n });
    heir.send('5\n');
    heir.runFor(300);
    t.deepEqual(heir.entries[0], { seq: BigInt(count) + 1n, event: { kind: 'epoch', epoch: 2n } });
    const [output] = heir.outputs;
    if (output !== undefined) t.is(output.offset, BigInt(before.bytes.length));
    // The whole history, old epoch and new, replays on a third machine.
    const history = replayAll([...short.entries.slice(0, count), ...heir.entries]);
    t.is(hashWholeState(history.machine), hashWholeState(heir.machine), `cut at ${count}`);
    t.is(history.session.lastEpoch(), 2n);
  }
});

test('the digest of a mark covers the stream from its start', (t) => {
  const marks = workload.entries.filter(({ event }) => event.kind === 'output-mark');
  const mark = marks.at(-1)?.event;
  if (mark?.kind !== 'output-mark') return t.fail();
  const bytes = Uint8Array.from(workload.text(), (character) => character.charCodeAt(0));
  t.is(mark.digest, hash64(bytes));
  t.is(mark.offset, BigInt(bytes.length));
});

test('a machine promoted between an input and its wake looks around at once', (t) => {
  const recording = new Recording();
  recording.runFor(1);
  t.true(recording.machine.isParked(0));
  recording.send('5\n');
  recording.slice();
  const input = recording.entries.findIndex(({ event }) => event.kind === 'console-input');
  t.is(recording.entries[input + 1]?.event.kind, 'wake');
  const { machine, session } = replayAll(recording.entries.slice(0, input + 1));
  const heir = new Recording({ machine, state: session.promote(), epoch: 2n });
  heir.slice();
  t.true(heir.entries.some(({ event }) => event.kind === 'wake'));
  t.is(heir.text(), '1 5 5\n');
});
