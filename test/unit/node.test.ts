/**
 * Goal: the parts that both processes stand on keep their promises: order of a core's inputs,
 * lines of the journal, history by offset, the log's tail.
 * Method: each part alone, against a plain model where there is one.
 */

import { setTimeout as delay } from 'node:timers/promises';
import test from 'ava';
import type { LogEntry } from '../../lib/event/event.js';
import { CoreDriver } from '../../lib/node/core-driver.js';
import { Journal } from '../../lib/node/journal.js';
import { DEFAULT_LIMITS } from '../../lib/protocol/limits.js';
import { stepsBehind } from '../../lib/node/hart-metrics.js';
import { LogTail, newestStep, type TailBatch } from '../../lib/node/log-tail.js';
import { statusOfStop } from '../../lib/node/stop-status.js';
import { HISTORY_BYTES, StreamHistory, UNREAD_BYTES } from '../../lib/node/stream-history.js';
import { until } from '../support/pair.js';
import { Random } from '../support/random.js';

interface FakeCore {
  readonly seen: string[];
  wakeMs: number;
}

function driven(perform: (effect: string) => void): {
  core: FakeCore;
  driver: CoreDriver<string, string>;
  failures: unknown[];
} {
  const core: FakeCore = { seen: [], wakeMs: Infinity };
  const failures: unknown[] = [];
  const driver = new CoreDriver<string, string>({
    core: {
      step: (input) => {
        core.seen.push(input);
        if (input.startsWith('tick')) core.wakeMs = Infinity;
        return [`${input}.1`, `${input}.2`];
      },
      wakeAtMs: () => core.wakeMs,
    },
    perform,
    tick: (loopLagMs) => `tick ${loopLagMs >= 0 ? 'late by' : ''} ${Math.round(loopLagMs)}`,
    onFailure: (error) => failures.push(error),
  });
  return { core, driver, failures };
}

test('an input given by an effect waits until all effects of the first are done', (t) => {
  const effects: string[] = [];
  const { core, driver } = driven((effect) => {
    effects.push(effect);
    if (effect === 'a.1') driver.give('b');
  });
  driver.give('a');
  t.deepEqual(core.seen, ['a', 'b']);
  t.deepEqual(effects, ['a.1', 'a.2', 'b.1', 'b.2']);
});

test('a core is woken when it asks for it, and told how late that is', async (t) => {
  const { core, driver } = driven(() => undefined);
  core.wakeMs = CoreDriver.nowMs() + 20;
  driver.give('a');
  const blockedUntilMs = CoreDriver.nowMs() + 80;
  while (CoreDriver.nowMs() < blockedUntilMs);
  await until('a tick', () => core.seen.length > 1);
  const lateMs = Number(/\d+$/.exec(core.seen[1] ?? '')?.[0]);
  t.true(lateMs >= 50 && lateMs < 5_000, `late by ${lateMs} ms`);
  driver.stop();
});

test('a failed effect stops the driver and is told once', async (t) => {
  const { core, driver, failures } = driven(() => {
    throw new Error('broken');
  });
  core.wakeMs = CoreDriver.nowMs();
  driver.give('a');
  driver.give('b');
  await delay(10);
  t.deepEqual(core.seen, ['a']);
  t.is(failures.length, 1);
});

test('a line of the journal has fixed columns and no control characters of others', (t) => {
  const lines: string[] = [];
  const journal = new Journal({ write: (text) => lines.push(text) }, false);
  journal.role = 'primary';
  journal.epoch = 12n;
  journal.note({ event: 'a -> b', detail: 'x\n\x1b[31my', fields: { seq: 5n } });
  t.regex(
    lines[0] ?? '',
    /^ +\d+\.\d{3} {2}primary {4}e12 {2}a -> b {22}x\\x0a\\x1b\[31my {2}seq=5\n$/,
  );
});

test('a journal in JSON can be read back', (t) => {
  const lines: string[] = [];
  const journal = new Journal({ write: (text) => lines.push(text) }, true);
  journal.note({ event: 'e', detail: 'd', fields: { seq: 1n << 60n, yes: true } });
  const entry: unknown = JSON.parse(lines[0] ?? '');
  t.like(entry, { event: 'e', detail: 'd', seq: `${1n << 60n}`, yes: true, epoch: '0' });
});

test('a history answers like the whole stream, as far as it is kept', (t) => {
  const random = new Random(3);
  const history = new StreamHistory(0n, 1_000);
  const whole: number[] = [];
  for (let round = 0; round < 2_000; round += 1) {
    const back = Math.min(whole.length, random.below(20));
    const bytes = [...random.bytes(random.below(60))];
    const from = whole.length - back;
    const known = whole.slice(from, from + bytes.length);
    const chunk = [...known, ...bytes.slice(known.length)];
    t.true(history.append(BigInt(from), Uint8Array.from(chunk)));
    whole.push(...chunk.slice(known.length));
    t.is(history.end, BigInt(whole.length));
    const start = Number(history.start);
    t.true(whole.length - start <= 1_000 + 60);
    const at = start + random.below(whole.length - start + 1);
    const wanted = 1 + random.below(200);
    t.deepEqual([...history.read(BigInt(at), wanted)], whole.slice(at, at + wanted));
    if (round % 100 === 99) {
      const cut = start + random.below(whole.length - start + 1);
      history.truncate(BigInt(cut));
      whole.length = cut;
    }
  }
  t.false(history.append(history.end + 1n, Uint8Array.of(1)));
});

test('what can leave at once is kept, and twice as much', (t) => {
  t.true(DEFAULT_LIMITS.heldBytes * 2 <= HISTORY_BYTES);
});

test('what an attached client has still to be given is kept, up to a bound', (t) => {
  const history = new StreamHistory();
  const piece = new Uint8Array(64 * 1024);
  const write = (bytes: number, unread?: bigint): void => {
    for (let done = 0; done < bytes; done += piece.length) {
      history.append(history.end, piece, unread);
    }
  };
  write(HISTORY_BYTES * 2, 100n);
  t.is(history.start, 0n);
  write(UNREAD_BYTES, 100n);
  t.is(history.end - history.start, BigInt(UNREAD_BYTES));
  write(piece.length, history.end);
  t.is(history.end - history.start, BigInt(HISTORY_BYTES));
});

function batch(firstSeq: bigint, lastSeq: bigint, size = 100): TailBatch {
  const hash = Uint8Array.of(Number(lastSeq & 0xffn));
  return {
    firstSeq,
    lastSeq,
    bytes: new Uint8Array(size),
    hash,
    recordedNs: lastSeq,
    step: lastSeq * 10n,
  };
}

test('the tail of a log finds batches by entry, and hashes only where a batch ends', (t) => {
  const appended: bigint[] = [];
  const sink = { append: (one: TailBatch): void => void appended.push(one.firstSeq) };
  const tail = new LogTail({ seq: 4n, hash: Uint8Array.of(4) }, sink, 10_000);
  tail.append(batch(5n, 7n));
  tail.append(batch(8n, 8n));
  tail.append(batch(9n, 12n));
  t.deepEqual(appended, [5n, 8n, 9n]);
  t.deepEqual([...(tail.hashAt(4n) ?? [])], [4]);
  t.is(tail.hashAt(6n), null);
  t.deepEqual([...(tail.hashAt(8n) ?? [])], [8]);
  t.is(tail.batchOf(11n)?.firstSeq, 9n);
  t.is(tail.batchOf(4n), null);
  t.is(tail.batchOf(13n), null);
  t.deepEqual(
    tail.range(5n, 12n).map(({ firstSeq }) => firstSeq),
    [5n, 8n, 9n],
  );
  t.throws(() => tail.range(6n, 8n), { message: /does not begin a batch/ });
  t.throws(() => tail.append(batch(14n, 14n)), { message: /after 12/ });
});

test('the distance from an entry is what follows it, in bytes and steps', (t) => {
  const tail = new LogTail({ seq: 0n, hash: Uint8Array.of(0) }, null, 350);
  for (let seq = 1n; seq <= 3n; seq += 1n) tail.append(batch(seq, seq));
  t.deepEqual(tail.distanceFrom(0n), { bytes: 300, steps: 30n });
  t.deepEqual(tail.distanceFrom(2n), { bytes: 100, steps: 10n });
  t.deepEqual(tail.distanceFrom(3n), { bytes: 0, steps: 0n });
  tail.append({ ...batch(4n, 4n), step: 0n });
  t.deepEqual(tail.distanceFrom(1n), { bytes: 300, steps: 20n });
});

test('the newest step is of a horizon or of an event of hart 0', (t) => {
  const entry = (event: LogEntry['event']): LogEntry => ({ seq: 1n, event });
  const wake = entry({ kind: 'wake', hart: 0, step: 7n, time: 1n });
  const epoch = entry({ kind: 'epoch', epoch: 1n });
  t.is(newestStep([wake, epoch]), 7n);
  t.is(newestStep([wake, entry({ kind: 'horizon', steps: [9n] })]), 9n);
  t.is(newestStep([epoch]), 0n);
});

test('what is pinned stays, the rest is kept up to the limit', (t) => {
  const tail = new LogTail({ seq: 0n, hash: Uint8Array.of(0) }, null, 250);
  tail.pin(1n);
  for (let seq = 1n; seq <= 10n; seq += 1n) tail.append(batch(seq, seq));
  t.is(tail.batchOf(1n), null);
  t.is(tail.batchOf(2n)?.firstSeq, 2n);
  tail.pin(6n);
  t.is(tail.batchOf(6n), null);
  t.is(tail.batchOf(7n)?.firstSeq, 7n);
  tail.pin(null);
  t.is(tail.batchOf(8n), null);
  t.deepEqual([...(tail.hashAt(8n) ?? [])], [8]);
  t.is(tail.lastSeq, 10n);
});

test('steps behind are counted hart by hart, and a replica ahead of a heartbeat is not behind', (t) => {
  t.is(stepsBehind([10n, 20n], [4n]), 26n);
  t.is(stepsBehind([10n], [12n]), 0n);
});

test("a guest's failure is a failure of the process, whatever its number", (t) => {
  t.is(statusOfStop({ cause: 'power-off', status: 0 }), 0);
  t.is(statusOfStop({ cause: 'exit', status: 3 }), 3);
  t.is(statusOfStop({ cause: 'exit', status: 256 }), 1);
});
