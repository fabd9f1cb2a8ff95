/**
 * Goal: a log that harts in parallel can't have written is refused, for what it is.
 * Method: a recorded run of two harts, with one entry changed.
 */

import test from 'ava';
import type { LogEntry, LogEvent } from '../../../lib/event/event.js';
import { ending, recordParallel, replayParallel } from '../../support/parallel-guest.js';

const PROGRAM = `
    li s1,2000
    li s2,0x80040000
  count:
    amoadd.d zero,s1,(s2)
    addi s1,s1,-1
    bnez s1,count
    ${ending(2)}`;

function changed(entries: readonly LogEntry[], change: (event: LogEvent) => LogEvent): LogEntry[] {
  const at = entries.findIndex(({ event }) => change(event) !== event);
  return entries.map((entry, index) =>
    index === at ? { ...entry, event: change(entry.event) } : entry,
  );
}

test.serial('an entry that names a hart or a page that the machine lacks is refused', (t) => {
  const { entries } = recordParallel(PROGRAM, { harts: 2 });
  const replay = (change: (event: LogEvent) => LogEvent) => () =>
    replayParallel(PROGRAM, changed(entries, change), { harts: 2 });
  t.throws(
    replay((event) => (event.kind === 'steal' ? { ...event, page: 60_000 } : event)),
    { code: 'BAD_LOG' },
  );
  t.throws(
    replay((event) => (event.kind === 'steal' ? { ...event, victims: [] } : event)),
    { code: 'BAD_LOG' },
  );
  t.throws(
    replay((event) => (event.kind === 'horizon' ? { ...event, steps: [1n] } : event)),
    { code: 'BAD_LOG' },
  );
});

test.serial('a steal moved by one step, or of another page, is detected', (t) => {
  const { entries } = recordParallel(PROGRAM, { harts: 2 });
  const replay = (change: (event: LogEvent) => LogEvent) => () =>
    replayParallel(PROGRAM, changed(entries, change), { harts: 2 });
  t.throws(
    replay((event) => (event.kind === 'steal' ? { ...event, step: event.step + 1n } : event)),
    { code: 'DIVERGED' },
  );
  t.throws(
    replay((event) => (event.kind === 'steal' ? { ...event, page: event.page ^ 1 } : event)),
    { code: 'DIVERGED' },
  );
});
