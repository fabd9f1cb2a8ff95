/**
 * Goal: a backlog counts exactly what no watermark has passed.
 * Method: compare with a plain list over random pushes and passes.
 */

import test from 'ava';
import { Backlog } from '../../../lib/protocol/backlog.js';
import { Random } from '../../../lib/simulation/random.js';

test('bytes and age are those of a plain list', (t) => {
  const random = new Random(1, 1);
  const backlog = new Backlog();
  let list: { seq: bigint; bytes: number; atMs: number }[] = [];
  let seq = 0n;
  let nowMs = 0;
  for (let round = 0; round < 5_000; round += 1) {
    nowMs += random.pick([1, 2, 10]);
    if (random.chance(0.6)) {
      seq += BigInt(random.between(1, 3));
      const bytes = random.between(0, 100);
      backlog.push(seq, bytes, nowMs);
      list.push({ seq, bytes, atMs: nowMs });
    } else {
      const passed = seq - BigInt(random.between(0, 5));
      backlog.passTo(passed);
      list = list.filter((item) => item.seq > passed);
    }
    t.is(
      backlog.bytes,
      list.reduce((sum, item) => sum + item.bytes, 0),
    );
    t.is(backlog.oldestMs(), list[0]?.atMs ?? null);
  }
});

test('pushes of the same time are one item, which leaves with its last entry', (t) => {
  const backlog = new Backlog();
  backlog.push(1n, 10, 5);
  backlog.push(2n, 20, 5.5);
  backlog.passTo(1n);
  t.is(backlog.bytes, 30);
  backlog.passTo(2n);
  t.is(backlog.bytes, 0);
  t.is(backlog.oldestMs(), null);
});

test('a sequence that falls is a broken invariant', (t) => {
  const backlog = new Backlog();
  backlog.push(5n, 1, 0);
  t.throws(() => backlog.push(4n, 1, 1));
  backlog.clear();
  t.notThrows(() => backlog.push(4n, 1, 1));
});
