/**
 * Goal: the finisher stops the machine for its three commands and for nothing else.
 * Method: every 16-bit command.
 */

import test from 'ava';
import { Syscon, SYSCON_SPEC } from '../../../lib/device/syscon.js';
import { blockOf } from './rig.js';

function rig() {
  const stops: [string, number][] = [];
  const syscon = new Syscon(blockOf(SYSCON_SPEC), {
    base: 0x10_0000,
    stop: (cause, status) => stops.push([cause, status]),
  });
  return { syscon, stops };
}

test('power-off, reset and exit code are the only commands (all 65,536)', (t) => {
  const { syscon, stops } = rig();
  for (let command = 0; command < 0x1_0000; command++) {
    syscon.write(0, 4, BigInt(command) | (7n << 16n));
  }
  t.deepEqual(stops, [
    ['exit', 7],
    ['power-off', 0],
    ['reset', 0],
  ]);
});

test('other offsets and single bytes do nothing', (t) => {
  const { syscon, stops } = rig();
  syscon.write(4, 4, 0x5555n);
  syscon.write(0, 1, 0x55n);
  t.deepEqual(stops, []);
  t.is(syscon.read(), 0n);
});

test('a 16-bit and a 64-bit store stop the machine as well', (t) => {
  const { syscon, stops } = rig();
  syscon.write(0, 2, 0x5555n);
  syscon.write(0, 8, 0xffff_ffff_0003_3333n);
  t.deepEqual(stops, [
    ['power-off', 0],
    ['exit', 3],
  ]);
});
