/**
 * Goal: who begins a standstill waits for all others, who stands goes on when it ends.
 * Method: two harts' ends of it in one thread, with a port that stands for the other thread.
 */

import test from 'ava';
import { WORD } from '../../../../lib/machine/parallel/shared-words.js';
import { Standstill, type WaitPort } from '../../../../lib/machine/parallel/standstill.js';
import { sharedWords } from './shared.js';

const isParked = (): boolean => false;

test('a standstill begins when the last hart stands', (t) => {
  const words = sharedWords(3);
  words.store(WORD.stands + 1, 1);
  let waits = 0;
  const port: WaitPort = {
    wait: (ints, index, value) => {
      t.is(ints[index], value, 'woken for nothing');
      waits++;
      if (waits === 3) words.store(WORD.stands + 2, 1);
    },
  };
  const standstill = new Standstill({ words, hart: 0, port, isParked });
  t.true(standstill.tryLock());
  standstill.begin();
  t.is(waits, 3);
  t.is(words.load(WORD.wanted), 1);
  standstill.end();
  t.deepEqual([words.load(WORD.wanted), words.load(WORD.lock)], [0, 0]);
});

test('one at a time has the lock', (t) => {
  const words = sharedWords(2);
  const port = { wait: () => undefined };
  const [first, second] = [0, 1].map((hart) => new Standstill({ words, hart, port, isParked }));
  t.true(first?.tryLock());
  t.false(second?.tryLock());
  first?.unlock();
  t.true(second?.tryLock());
});

test('a hart that stands says where, and goes on when nobody wants it to stand and it may', (t) => {
  const words = sharedWords(2);
  words.store(WORD.wanted, 1);
  let mayGo = false;
  const port = {
    wait: (): void => {
      t.is(words.load(WORD.stands + 1), 1);
      if (words.load(WORD.wanted) === 1) words.store(WORD.wanted, 0);
      else mayGo = true;
    },
  };
  const standstill = new Standstill({ words, hart: 1, port, isParked });
  standstill.stand(77, () => mayGo);
  t.is(words.steps[1], 77);
  t.is(words.load(WORD.stands + 1), 0);
});

test('calls are served while a thread waits', (t) => {
  const words = sharedWords(2);
  let served = 0;
  const port = { wait: () => undefined };
  const standstill = new Standstill({ words, hart: 0, port, isParked, serve: () => void served++ });
  standstill.waitUntil(() => served > 2);
  t.is(served, 3);
});

test('whoever waits for an interrupt is not woken at the end of a standstill', (t) => {
  const words = sharedWords(4);
  for (let hart = 1; hart < 4; hart++) words.store(WORD.stands + hart, 1);
  const parked = new Set([0, 2]);
  const standstill = new Standstill({
    words,
    hart: 1,
    port: { wait: () => undefined },
    isParked: (hart) => parked.has(hart),
  });
  const bells = (): number[] => [0, 1, 2, 3].map((hart) => words.load(WORD.bell + hart));
  words.store(WORD.stands, 1);
  t.true(standstill.tryLock());
  standstill.begin();
  const before = bells();
  standstill.end();
  t.deepEqual(
    bells().map((bell, hart) => bell - (before[hart] ?? 0)),
    // Hart 0 has whoever drives the machine behind it.
    [1, 1, 0, 1],
  );
});
