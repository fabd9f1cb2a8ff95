/**
 * Goal: progress is always in shared memory, and its last state is always told in the end.
 */

import test from 'ava';
import {
  CONTROL,
  createControlBuffer,
  PROGRESS,
  viewControl,
  type Report,
} from '../../../lib/host/hart-messages.js';
import {
  ProgressReporter,
  readEngineFigures,
  readProgress,
  storeEngineFigures,
} from '../../../lib/host/progress-reporter.js';
import { newToy } from '../../support/session-run.js';

test('what moved is stored at once, told at most once an interval, and due until it is told', async (t) => {
  const machine = newToy();
  const control = viewControl(createControlBuffer());
  const told: Report[] = [];
  const reporter = new ProgressReporter(machine, control, (report) => told.push(report));
  reporter.publish(1n, true);
  t.is(told.length, 1);
  t.is(reporter.dueMs(), Infinity);
  machine.runUntil({ hart: 0, step: 1n });
  reporter.publish(2n, true);
  t.is(Atomics.load(control.progress, PROGRESS.steps), 1n);
  t.is(Atomics.load(control.progress, PROGRESS.seq), 2n);
  t.is(Atomics.load(control.words, CONTROL.parked), 1);
  while (told.length === 1) {
    const dueMs = reporter.dueMs();
    t.true(dueMs <= 5);
    await new Promise((resolve) => setTimeout(resolve, dueMs));
    reporter.publish(2n, true);
  }
  t.like(told[1], { kind: 'progress', steps: [1n], parked: true, seq: 2n });
  reporter.publish(2n, true);
  t.is(told.length, 2);
});

test('what the compiler tells is read as it was told, and leaves the progress alone', (t) => {
  const control = viewControl(createControlBuffer());
  new ProgressReporter(newToy(), control, () => undefined).publish(7n, true);
  const observer = storeEngineFigures(control);
  observer.changed({
    compiled: 9,
    dropped: 4,
    instructions: 700,
    live: 5,
    liveBytes: 2 ** 33,
    compileNs: 1_500_000_000n,
  });
  t.deepEqual(readEngineFigures(control), {
    regionsCompiled: 9,
    regionsDropped: 4,
    compiledInstructions: 700,
    regionsLive: 5,
    codeBytes: 2 ** 33,
    compileSeconds: 1.5,
  });
  t.is(readProgress(control, 1).seq, 7n);
  t.true(observer.monotonicNs() > 0n);
});
