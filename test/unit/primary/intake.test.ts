/**
 * Goal: what the machine reports reaches the log in order, at once where nobody has to answer, and
 * gathered, for a moment at most, where somebody has.
 * Method: the intake between a recorder and a gate that only note what they are given.
 */

import test from 'ava';
import type { LogEntry, LogEvent } from '../../../lib/event/event.js';
import { ReportIntake } from '../../../primary/intake.js';
import { until } from '../../support/pair.js';

function entry(seq: bigint, kind: 'wake' | 'control' = 'wake'): LogEntry {
  const event: LogEvent =
    kind === 'wake'
      ? { kind, hart: 0, step: seq, time: 0n }
      : { kind, hart: 0, step: seq, action: 'snapshot' };
  return { seq, event };
}

class Desk {
  readonly seen: string[] = [];
  awaitsAck = false;
  isFull = false;
  readonly intake = new ReportIntake({
    recorder: {
      record: (entries) => {
        if (this.isFull) throw new Error('the log is full');
        const [firstSeq = 0n, lastSeq = 0n] = [entries[0]?.seq, entries.at(-1)?.seq];
        this.seen.push(`log ${firstSeq}-${lastSeq}`);
        return [{ kind: 'recorded', firstSeq, lastSeq, bytes: 1, hasOutputMark: false }];
      },
    },
    order: { run: (act) => act() },
    gate: {
      holdOutput: ({ seq }) => this.seen.push(`hold ${seq}`),
      holdInput: ({ seq }) => this.seen.push(`input ${seq}`),
    },
    consoles: { inputLogged: () => undefined },
    give: (input) => this.seen.push(input.kind),
    onLogged: () => undefined,
    onStopped: () => this.seen.push('stop'),
    awaitsAck: () => this.awaitsAck,
    fail: (error) => this.seen.push(String(error)),
  });

  entries(...entries: LogEntry[]): void {
    void this.intake.listener.onEntries?.(entries);
  }

  output(seq: bigint): void {
    const output = { stream: 'uart', seq, offset: 0n, bytes: new Uint8Array(1) } as const;
    void this.intake.listener.onOutput?.(output, 0n);
  }

  take(): string {
    return this.seen.splice(0).join(', ');
  }
}

test('nothing gathers where nobody has to answer', (t) => {
  const desk = new Desk();
  desk.entries(entry(1n));
  desk.output(1n);
  t.is(desk.take(), 'log 1-1, recorded, hold 1, output');
});

test('reports gather until the answer comes, and keep their order', (t) => {
  const desk = new Desk();
  desk.awaitsAck = true;
  desk.entries(entry(1n), entry(2n));
  desk.output(2n);
  desk.entries(entry(3n));
  desk.output(3n);
  t.is(desk.take(), '');
  desk.intake.acked();
  t.is(desk.take(), '', 'another answer is awaited');
  desk.awaitsAck = false;
  desk.intake.acked();
  t.is(desk.take(), 'log 1-3, recorded, hold 2, output, hold 3, output');
  desk.intake.acked();
  t.is(desk.take(), '');
});

test('an answer that does not come is not waited for', async (t) => {
  const desk = new Desk();
  desk.awaitsAck = true;
  desk.entries(entry(1n));
  desk.output(1n);
  await until('the entry', () => desk.seen.length > 0);
  t.is(desk.take(), 'log 1-1, recorded, hold 1, output');
});

test('many entries, a control entry and the end do not wait', (t) => {
  const desk = new Desk();
  desk.awaitsAck = true;
  desk.entries(...Array.from({ length: 256 }, (_, index) => entry(BigInt(index + 1))));
  t.is(desk.take(), 'log 1-256, recorded');
  desk.entries(entry(257n));
  desk.entries(entry(258n, 'control'));
  t.is(desk.take(), 'log 257-258, recorded');
  desk.entries(entry(259n));
  desk.intake.listener.onStopped?.({ cause: 'power-off', status: 0 }, 259n);
  t.is(desk.take(), 'log 259-259, recorded, stop, guest-stopped');
});

test('a log that takes no more ends the node, also where an answer brought it about', (t) => {
  const desk = new Desk();
  desk.awaitsAck = true;
  desk.entries(entry(1n));
  desk.output(1n);
  desk.isFull = true;
  desk.awaitsAck = false;
  desk.intake.acked();
  t.is(desk.take(), 'Error: the log is full');
  desk.intake.close();
  desk.entries(entry(2n));
  t.is(desk.take(), '', 'nothing is taken after the end');
});
