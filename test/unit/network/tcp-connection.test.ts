/**
 * Goal: two ends of a connection agree on every byte, whatever the network loses, doubles, delays
 * or swaps, and whatever one end does not read for a while; and both come to an end.
 * Method: two connections over a simulated network with virtual time, from seeds; then single
 * segments where the specification names the answer.
 */

import test from 'ava';
import {
  BUFFER_BYTES,
  MAX_RETRIES,
  TcpConnection,
  type TcpEvent,
} from '../../../lib/network/tcp-connection.js';
import { FLAG, type Segment } from '../../../lib/network/tcp-segment.js';
import { Random } from '../../support/random.js';

interface Faults {
  readonly loss: number;
  readonly doubling: number;
  readonly delayMs: number;
}

/** One end, and the program behind it. */
class End {
  connection: TcpConnection | null;
  readonly received: number[] = [];
  readonly failures: string[] = [];
  finished = false;
  toSend: Uint8Array;
  private unread = 0;
  private told = false;

  constructor(connection: TcpConnection | null, toSend: Uint8Array) {
    this.connection = connection;
    this.toSend = toSend;
  }

  /** Writes what there is room for; reads at most `reads` bytes of what has come. */
  work(reads: number): void {
    const { connection } = this;
    if (connection === null) return;
    for (const event of connection.takeEvents()) this.take(event);
    const read = Math.min(reads, this.unread);
    this.unread -= read;
    if (read > 0) connection.consumed(read);
    const room = Math.min(connection.sendRoom, this.toSend.length, 10_000);
    if (room > 0) {
      connection.send(this.toSend.slice(0, room));
      this.toSend = this.toSend.subarray(room);
    }
    if (this.toSend.length > 0 || this.told || connection.isClosed) return;
    this.told = true;
    connection.finish();
  }

  private take(event: TcpEvent): void {
    if (event.kind === 'data') {
      this.received.push(...event.bytes);
      this.unread += event.bytes.length;
    } else if (event.kind === 'finished') this.finished = true;
    else if (event.kind === 'failed') this.failures.push(event.reason);
  }
}

function bytesOf(random: Random, count: number): Uint8Array {
  return Uint8Array.from({ length: count }, () => random.below(256));
}

/** Runs until both ends are closed; gives the virtual time that took. */
function converse(
  random: Random,
  faults: Faults,
  one: End,
  other: End,
  reads: () => number,
): number {
  const onTheWay: { atMs: number; to: End; segment: Segment }[] = [];
  let nowMs = 0;
  const put = (to: End, segment: Segment): void => {
    if (random.below(1000) < faults.loss) return;
    const copies = random.below(1000) < faults.doubling ? 2 : 1;
    for (let copy = 0; copy < copies; copy++) {
      onTheWay.push({ atMs: nowMs + 1 + random.below(faults.delayMs), to, segment });
    }
  };
  for (; nowMs < 3_000_000; nowMs++) {
    const due = onTheWay.filter(({ atMs }) => atMs <= nowMs);
    for (const item of due) onTheWay.splice(onTheWay.indexOf(item), 1);
    for (const { to, segment } of due) {
      if (to.connection === null) {
        if (segment.flags !== FLAG.syn) continue;
        const ends = { localPort: 80, remotePort: 9, firstSeq: 0xffff_fff0 };
        to.connection = TcpConnection.answer(ends, segment);
        to.connection.establish();
      } else to.connection.receive(segment, nowMs);
    }
    for (const [end, peer] of [
      [one, other],
      [other, one],
    ] as const) {
      end.work(reads());
      const { connection } = end;
      if (connection === null) continue;
      const deadline = connection.deadlineMs();
      if (deadline !== null && deadline <= nowMs) connection.tick(nowMs);
      for (const segment of connection.takeSegments(nowMs)) put(peer, segment);
    }
    if (one.connection?.isClosed === true && other.connection?.isClosed === true) break;
  }
  one.work(BUFFER_BYTES);
  other.work(BUFFER_BYTES);
  return nowMs;
}

function pair(random: Random, bytes: readonly [number, number]): readonly [End, End] {
  const ends = { localPort: 9, remotePort: 80, firstSeq: 0xffff_f000 };
  const one = new End(TcpConnection.connect(ends), bytesOf(random, bytes[0]));
  return [one, new End(null, bytesOf(random, bytes[1]))];
}

test('both ends get every byte, whatever the network does', (t) => {
  for (let seed = 1; seed <= 60; seed++) {
    const random = new Random(seed);
    const faults = {
      loss: random.below(4) === 0 ? 0 : random.below(250),
      doubling: random.below(300),
      delayMs: 1 + random.below(60),
    };
    const [one, other] = pair(random, [random.below(120_000), random.below(120_000)]);
    const sent = [[...one.toSend], [...other.toSend]];
    converse(random, faults, one, other, () => random.below(20_000));
    t.deepEqual([one.failures, other.failures], [[], []], `seed ${seed}`);
    t.true(one.finished && other.finished, `seed ${seed}: ends`);
    t.true(Buffer.from(other.received).equals(Buffer.from(sent[0] ?? [])), `seed ${seed}: there`);
    t.true(Buffer.from(one.received).equals(Buffer.from(sent[1] ?? [])), `seed ${seed}: back`);
  }
});

test('an end that does not read stops the other, which finds out when it does', (t) => {
  const random = new Random(1);
  const [one, other] = pair(random, [BUFFER_BYTES * 3, 0]);
  const sent = Buffer.from(one.toSend);
  let turns = 0;
  // Nothing is read for a minute of virtual time: the window closes, and is probed.
  converse(random, { loss: 50, doubling: 0, delayMs: 5 }, one, other, () =>
    (turns += 1) < 120_000 ? 0 : BUFFER_BYTES,
  );
  t.true(turns > 120_000);
  t.true(Buffer.from(other.received).equals(sent));
  t.deepEqual(one.failures, []);
});

test('a clean network takes no longer than its delay', (t) => {
  const random = new Random(1);
  const [one, other] = pair(random, [200_000, 200_000]);
  const took = converse(random, { loss: 0, doubling: 0, delayMs: 1 }, one, other, () => 1 << 20);
  t.true(took < 2_500, `${took} ms, of which the ends linger two seconds`);
});

const ENDS = { localPort: 9, remotePort: 80, firstSeq: 1000 };

function segmentOf(change: Partial<Segment>): Segment {
  return {
    sourcePort: 80,
    targetPort: 9,
    seq: 5000,
    ack: 1001,
    flags: FLAG.ack,
    window: 0xffff,
    maxSegment: null,
    windowShift: null,
    payload: new Uint8Array(0),
    ...change,
  };
}

/** A connection that has come to stand, at time 0. */
function opened(): TcpConnection {
  const connection = TcpConnection.connect(ENDS);
  connection.takeSegments(0);
  connection.receive(segmentOf({ flags: FLAG.syn | FLAG.ack, maxSegment: 1460 }), 0);
  connection.takeSegments(0);
  connection.takeEvents();
  return connection;
}

test('a refusal counts only if it answers our SYN', (t) => {
  const connection = TcpConnection.connect(ENDS);
  connection.takeSegments(0);
  connection.receive(segmentOf({ flags: FLAG.rst | FLAG.ack, ack: 999 }), 0);
  t.false(connection.isClosed);
  connection.receive(segmentOf({ flags: FLAG.rst | FLAG.ack }), 0);
  t.deepEqual(connection.takeEvents(), [{ kind: 'failed', reason: 'refused' }]);
});

test('a reset counts only at the very next byte; elsewhere it is questioned', (t) => {
  const connection = opened();
  connection.receive(segmentOf({ flags: FLAG.rst, seq: 5002 }), 1);
  t.false(connection.isClosed);
  t.like(connection.takeSegments(1), [{ flags: FLAG.ack, ack: 5001 }]);
  connection.receive(segmentOf({ flags: FLAG.rst, seq: 6_000_000 }), 1);
  t.deepEqual(connection.takeSegments(1), []);
  connection.receive(segmentOf({ flags: FLAG.rst, seq: 5001 }), 1);
  t.deepEqual(connection.takeEvents(), [{ kind: 'failed', reason: 'reset' }]);
});

test('a guest that is silent for long enough is given up, and a kick begins anew', (t) => {
  const connection = opened();
  connection.send(Uint8Array.of(1, 2, 3));
  connection.takeSegments(0);
  const expire = (times: number): void => {
    for (let count = 0; count < times; count++) {
      const deadline = connection.deadlineMs() ?? 0;
      connection.tick(deadline);
      connection.takeSegments(deadline);
    }
  };
  expire(MAX_RETRIES);
  connection.kick();
  t.like(connection.takeSegments(100_000), [{ seq: 1001, payload: Uint8Array.of(1, 2, 3) }]);
  expire(MAX_RETRIES);
  t.false(connection.isClosed);
  expire(1);
  t.deepEqual(connection.takeEvents(), [{ kind: 'failed', reason: 'silent' }]);
});

test('three repeated acknowledgements send the missing segment again at once', (t) => {
  const connection = opened();
  connection.send(new Uint8Array(1460 * 5));
  t.is(connection.takeSegments(0).length, 5);
  for (let count = 0; count < 3; count++) connection.receive(segmentOf({ seq: 5001 }), 1);
  const again = connection.takeSegments(1);
  t.is(again[0]?.seq, 1001);
  t.is(again[0]?.payload.length, 1460);
});

test('an acknowledgement of what was never sent is answered and ignored', (t) => {
  const connection = opened();
  connection.receive(segmentOf({ seq: 5001, ack: 99_999 }), 1);
  t.like(connection.takeSegments(1), [{ seq: 1001, ack: 5001, flags: FLAG.ack }]);
});

test('one small segment is acknowledged after a moment, two at once', (t) => {
  const connection = opened();
  const data = { seq: 5001, payload: Uint8Array.of(1) };
  connection.receive(segmentOf(data), 1);
  t.deepEqual(connection.takeSegments(1), []);
  const deadline = connection.deadlineMs() ?? 0;
  t.true(deadline > 1 && deadline <= 50);
  connection.receive(segmentOf({ ...data, seq: 5002 }), 2);
  t.like(connection.takeSegments(2), [{ ack: 5003 }]);
});
