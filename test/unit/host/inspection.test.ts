/**
 * Goal: RAM is read exactly, at every alignment and across pages, and nothing outside of it.
 */

import test from 'ava';
import { RAM_BASE } from '../../../lib/machine/config.js';
import { inspectMachine, readRam } from '../../../lib/host/inspection.js';
import { newToy } from '../../support/session-run.js';

const BASE = BigInt(RAM_BASE);

test('any range of RAM reads as it is (offsets and lengths across pages)', (t) => {
  const machine = newToy();
  machine.ram.forEach((_, at) => {
    // The third page stays zero.
    if (at < 8192 || at >= 12288) machine.ram[at] = (at * 7) & 0xff;
  });
  for (const from of [0, 1, 4095, 4096, 8000, 8191, 12280]) {
    for (const bytes of [0, 1, 2, 4096, 4097, 9000]) {
      const read = readRam(machine, { address: BASE + BigInt(from), bytes });
      t.deepEqual(read, machine.ram.slice(from, from + bytes), `${bytes} at ${from}`);
    }
  }
});

test('a range outside RAM is refused', (t) => {
  const machine = newToy();
  const end = BASE + BigInt(machine.ram.length);
  for (const [address, bytes] of [
    [BASE - 1n, 1],
    [end, 1],
    [end - 1n, 2],
    [0n, 8],
    [(1n << 64n) - 1n, 2],
  ] as const) {
    t.throws(() => readRam(machine, { address, bytes }), { code: 'USAGE' });
  }
  t.is(readRam(machine, { address: end, bytes: 0 }).length, 0);
});

test('an inspection names the words that are not zero and changes nothing', (t) => {
  const machine = newToy();
  machine.state[11] = 5n;
  machine.markDirty(3);
  const first = inspectMachine(machine, 7n);
  t.is(first.seq, 7n);
  t.true(first.words.some(([name, value]) => name === 'toy.count' && value === 5n));
  t.true(first.words.every(([, value]) => value !== 0n));
  t.deepEqual(inspectMachine(machine, 7n), first);
  t.deepEqual(machine.takeDirtyPages().length, 1);
});
