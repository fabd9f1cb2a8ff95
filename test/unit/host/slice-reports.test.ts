/**
 * Goal: what somebody waits for is posted at once as long as the listener keeps up, and in larger
 * pieces when it does not; nothing is kept back for ever.
 * Method: a session that is asked for what was put into it; a listener that consumes when told.
 */

import test from 'ava';
import {
  CONTROL,
  createControlBuffer,
  viewControl,
  type Report,
} from '../../../lib/host/hart-messages.js';
import { SliceReports } from '../../../lib/host/slice-reports.js';
import type { RecordSession } from '../../../lib/session/record-session.js';
import type { Recorded } from '../../../lib/session/recorded.js';

const NOTHING: Recorded = { entries: [], outputs: [], inputs: [] };
const QUIET: Recorded = {
  ...NOTHING,
  entries: [{ seq: 1n, event: { kind: 'horizon', steps: [1n] } }],
};
const SPOKEN: Recorded = {
  ...NOTHING,
  outputs: [{ seq: 2n, stream: 'network', offset: 0n, bytes: new Uint8Array(60) }],
};

function create() {
  const control = viewControl(createControlBuffer());
  const posted: Report[] = [];
  const reports = new SliceReports(control, 1_000, (report) => posted.push(report));
  const session = (recorded: Recorded) => ({ takeRecorded: () => recorded }) as RecordSession;
  const report = (recorded: Recorded, status: 'running' | 'parked' | 'order' | 'stopped') =>
    reports.report(session(recorded), status);
  // What is posted first is posted at once: nothing was posted just before.
  report(QUIET, 'running');
  const consume = (): void => {
    Atomics.store(control.words, CONTROL.unconsumedBytes, 0);
    posted.length = 0;
  };
  consume();
  return { reports, report, posted, consume };
}

test('output is posted at once while the listener keeps up', (t) => {
  const { report, posted, consume } = create();
  for (let count = 0; count < 3; count++) {
    report(SPOKEN, 'running');
    t.is(posted.length, 1);
    consume();
  }
});

test('what nobody waits for waits, also when the guest parks', (t) => {
  const { report, posted, reports } = create();
  report(QUIET, 'running');
  report(QUIET, 'parked');
  t.is(posted.length, 0);
  t.true(reports.dueMs() <= 5);
  reports.flush();
  t.is(posted.length, 1);
  t.is(reports.dueMs(), Infinity);
});

test('while the listener is busy the guest gathers output as long as it goes on', (t) => {
  const { report, posted, consume } = create();
  report(SPOKEN, 'running');
  report(SPOKEN, 'running');
  report(SPOKEN, 'running');
  t.is(posted.length, 1, 'the others wait for the listener');
  consume();
  report(NOTHING, 'running');
  t.is(posted.length, 1);
  const [gathered] = posted;
  t.true(gathered?.kind === 'slice' && gathered.outputs.length === 2);
});

test('a guest that parks or stops after output is heard, however busy the listener', (t) => {
  for (const status of ['parked', 'stopped', 'order'] as const) {
    const { report, posted } = create();
    report(SPOKEN, 'running');
    report(SPOKEN, status);
    t.is(posted.length, 2, status);
  }
});

test('more than the budget makes the hart wait, and no longer than until it is consumed', (t) => {
  const { report, reports, consume } = create();
  t.false(reports.isOverBudget());
  const bytes = new Uint8Array(2_000);
  report({ ...NOTHING, outputs: [{ seq: 3n, stream: 'uart', offset: 0n, bytes }] }, 'order');
  t.true(reports.isOverBudget());
  consume();
  t.false(reports.isOverBudget());
  reports.waitForListener();
});
