/**
 * Goal: an access to a device from another thread has the device's answer, faults too.
 * Method: both ends in one thread; the port that waits lets the other end answer.
 */

import test from 'ava';
import { answerCall, DeviceCalls } from '../../../../lib/machine/parallel/device-calls.js';
import { MODE, WORD } from '../../../../lib/machine/parallel/shared-words.js';
import { Standstill } from '../../../../lib/machine/parallel/standstill.js';
import type { SharedOwnership } from '../../../../lib/machine/parallel/shared-ownership.js';
import { sharedWords } from './shared.js';

test('reads and writes reach the device and come back', (t) => {
  const words = sharedWords(2);
  const written: string[] = [];
  const devices = {
    read: (physical: number, bytes: number) =>
      physical === 0x1000 ? BigInt(bytes) * 0x1111_2222_3333n : null,
    write: (physical: number, bytes: number, value: bigint) => {
      written.push(`${physical} ${bytes} ${value}`);
      return physical === 0x1000;
    },
  };
  let done = 0;
  const port = { wait: () => answerCall(words, devices, () => done++) };
  const calls = new DeviceCalls({
    words,
    hart: 1,
    standstill: new Standstill({ words, hart: 1, port, isParked: () => false }),
    ownership: null as unknown as SharedOwnership,
    answered: () => undefined,
  });
  words.store(WORD.mode, MODE.solo);
  t.is(calls.read(0x1000, 8), 8n * 0x1111_2222_3333n);
  t.is(calls.read(0x2000, 4), null);
  t.true(calls.write(0x1000, 4, 5n));
  t.false(calls.write(0x2000, 1, 6n));
  t.deepEqual(written, ['4096 4 5', '8192 1 6']);
  t.is(done, 4);
});
