/**
 * Goal: a recorded boot of Debian, with console input, random bytes, re-bases and wakes, replays in
 * another process to equal checks, whatever the compiler, the garbage collector and the neighbours
 * of that process do.
 * Method: one recording by the real command; a replay by the real command for each condition. Some
 * are cut short here; `npm run campaign:determinism` has them whole.
 *
 * Skipped, with a message, where Debian's images can't be had.
 */

import test from 'ava';
import type { EventKind } from '../../lib/event/event.js';
import { debianRecording } from '../support/debian-recording.js';
import { REPLAY_CONDITIONS, replayUnder } from '../support/debian-replay.js';

const LIMIT_MS = 900_000;

test.serial('a recorded boot powers off with status 0 and has every kind of event', async (t) => {
  t.timeout(LIMIT_MS);
  const recording = await debianRecording(t);
  if (recording === null) return;
  t.regex(recording.output, /^[0-9a-f]{32} {2}-\r/m);
  t.regex(recording.output, /^answer 42\r[^]*reboot: Power down/m);
  const counts = new Map<EventKind, number>();
  for (const { event } of recording.log.entries) {
    counts.set(event.kind, (counts.get(event.kind) ?? 0) + 1);
  }
  const wanted: readonly EventKind[] = [
    ...(['console-input', 'entropy', 'rebase', 'wake', 'interrupt'] as const),
    ...(['output-mark', 'state-hash', 'horizon', 'epoch'] as const),
  ];
  t.deepEqual(
    wanted.filter((kind) => !counts.has(kind)),
    [],
  );
  t.log([...counts].map(([kind, count]) => `${kind} ${count}`).join(', '));
});

for (const condition of REPLAY_CONDITIONS) {
  const { name, shortSteps } = condition;
  const part = shortSteps === null ? 'all of it' : `to step ${shortSteps}`;
  test.serial(`a recorded boot replays to equal checks (${name}, ${part})`, async (t) => {
    t.timeout(LIMIT_MS);
    const recording = await debianRecording(t);
    if (recording === null) return;
    const replay = await replayUnder(condition, recording.directory, shortSteps);
    t.is(replay.status, 0, replay.errors);
    t.true(replay.checks > 0);
    if (shortSteps === null) t.is(replay.stateLine, recording.stateLine);
    t.log(`${replay.checks} checks equal, ${replay.seconds.toFixed(1)} s`);
  });
}
