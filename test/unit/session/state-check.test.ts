/**
 * Goal: a check says what has changed, and a comparison names the first difference.
 */

import test from 'ava';
import { hash64 } from '../../../lib/base/hash.js';
import type { StateHashEvent } from '../../../lib/event/event.js';
import { freshState } from '../../../lib/session/session-state.js';
import { hashWholeState, StateCheck } from '../../../lib/session/state-check.js';
import { newToy } from '../../support/session-run.js';
import type { ToyMachine } from '../../support/toy-machine.js';

function checkOf(machine: ToyMachine): StateCheck {
  return new StateCheck(freshState(machine, 1n));
}

function event(description: Pick<StateHashEvent, 'hash' | 'words' | 'pages'>): StateHashEvent {
  return { kind: 'state-hash', hart: 0, step: 0n, ...description };
}

test('a description holds the words that changed since the last one, and no others', (t) => {
  const machine = newToy();
  const check = checkOf(machine);
  machine.state[11] = 5n;
  machine.state[7] = 1n;
  t.deepEqual(check.describe(machine, false).words, [
    [7, 1n],
    [11, 5n],
  ]);
  t.deepEqual(check.describe(machine, false).words, []);
});

test('pages are described once after they were written, with the hash of their bytes', (t) => {
  const machine = newToy();
  const check = checkOf(machine);
  machine.ram[5 * 4096] = 9;
  machine.markDirty(5);
  t.is(check.describe(machine, false).pages, null);
  const page = new Uint8Array(4096);
  page[0] = 9;
  t.deepEqual(check.describe(machine, true).pages, [[5, hash64(page)]]);
  t.deepEqual(check.describe(machine, true).pages, []);
});

test('equal machines compare equal, check after check', (t) => {
  const [a, b] = [newToy(), newToy()];
  const [checkA, checkB] = [checkOf(a), checkOf(b)];
  for (let round = 1n; round <= 3n; round++) {
    for (const machine of [a, b]) {
      machine.state[11] = round;
      machine.ram[4096] = Number(round);
      machine.markDirty(1);
    }
    t.is(checkB.compare(b, event(checkA.describe(a, round === 2n))), null);
  }
});

test('the lowest word that differs is named with both values', (t) => {
  const [a, b] = [newToy(), newToy()];
  const [checkA, checkB] = [checkOf(a), checkOf(b)];
  a.state[11] = 5n;
  b.state[11] = 6n;
  b.state[12] = 6n;
  t.deepEqual(checkB.compare(b, event(checkA.describe(a, false))), {
    what: 'toy.count',
    expected: '0x5',
    actual: '0x6',
  });
});

test('a check that names a word too few or too many is a difference', (t) => {
  const [a, b] = [newToy(), newToy()];
  const [checkA, checkB] = [checkOf(a), checkOf(b)];
  const description = checkA.describe(a, false);
  const difference = checkB.compare(b, event({ ...description, words: [[11, 0n]] }));
  t.is(difference?.what, 'set of changed words');
  const outside = checkB.compare(b, event({ ...description, words: [[9999, 0n]] }));
  t.is(outside?.what, 'word 9999');
});

test('a history that differs shows in the hash although the machines are equal', (t) => {
  const [a, b] = [newToy(), newToy()];
  const [checkA, checkB] = [checkOf(a), checkOf(b)];
  checkA.note({ kind: 'horizon', steps: [5n] });
  checkB.note({ kind: 'horizon', steps: [6n] });
  const difference = checkB.compare(b, event(checkA.describe(a, false)));
  t.is(difference?.what, 'hash of words and log');
});

test('the hash of the whole state sees any byte of RAM and any word', (t) => {
  const machine = newToy();
  const hashes = new Set([hashWholeState(machine)]);
  machine.ram[machine.ram.length - 1] = 1;
  hashes.add(hashWholeState(machine));
  machine.ram[machine.ram.length - 1] = 0;
  machine.ram[0] = 1;
  hashes.add(hashWholeState(machine));
  machine.ram[0] = 0;
  machine.state[0] = 1n;
  hashes.add(hashWholeState(machine));
  machine.state[0] = 0n;
  t.is(hashes.size, 4);
  t.true(hashes.has(hashWholeState(machine)));
});
