/**
 * Goal: software interrupts and timer deadlines of several harts, at every access width.
 * Method: register accesses against recording ports.
 */

import test from 'ava';
import { Clint, clintSpec } from '../../../lib/device/clint.js';
import { blockOf, TestClock } from './rig.js';

const NEVER = 0xffff_ffff_ffff_ffffn;

function rig() {
  const clock = new TestClock();
  const software = new Map<number, boolean>();
  const changed: number[] = [];
  const block = blockOf(clintSpec(3));
  const clint = new Clint(block, {
    base: 0x200_0000,
    harts: 3,
    clock,
    setSoftware: (hart, level) => software.set(hart, level),
    onTimerChange: (hart) => changed.push(hart),
  });
  clint.reset();
  changed.length = 0;
  return { clint, clock, software, changed, block };
}

test('power-on leaves no deadline and no software interrupt', (t) => {
  const { clint, software } = rig();
  t.is(clint.timeCompare(2), NEVER);
  t.deepEqual([...software.values()], [false, false, false]);
});

test('msip drives the line of its own hart, and only by bit 0', (t) => {
  const { clint, software } = rig();
  clint.write(4, 4, 0xffff_fffen);
  t.false(software.get(1));
  clint.write(4, 4, 0xffff_ffffn);
  t.deepEqual([software.get(0), software.get(1), software.get(2)], [false, true, false]);
  t.is(clint.read(4, 4), 1n);
  t.is(clint.read(0, 8), 1n << 32n);
  clint.write(0, 8, 1n);
  t.deepEqual([software.get(0), software.get(1)], [true, false]);
});

test('mtimecmp is written whole or by halves, and the machine is told each time', (t) => {
  const { clint, changed } = rig();
  clint.write(0x4008, 8, 0x1122_3344_5566_7788n);
  t.is(clint.timeCompare(1), 0x1122_3344_5566_7788n);
  clint.write(0x4008, 4, 0xffff_ffffn);
  clint.write(0x400c, 4, 0x1n);
  t.is(clint.timeCompare(1), 0x1_ffff_ffffn);
  t.is(clint.read(0x400c, 4), 1n);
  t.deepEqual(changed, [1, 1, 1]);
});

test('mtime shows virtual time, and a write does not change it', (t) => {
  const { clint, clock } = rig();
  clock.ticks = 0x5_0000_0007n;
  clint.write(0xbff8, 8, 1n);
  t.is(clint.read(0xbff8, 8), 0x5_0000_0007n);
  t.is(clint.read(0xbff8, 4), 7n);
  t.is(clint.read(0xbffc, 4), 5n);
});

test('registers of harts that do not exist read 0 and ignore writes', (t) => {
  const { clint, changed, block } = rig();
  const before = block.words.slice();
  for (const offset of [12, 0x3ffc, 0x4018, 0xbff0, 0xfff8, 0x8000]) {
    clint.write(offset, 4, 1n);
    clint.write(offset - (offset % 8), 8, 0xffff_ffff_0000_0000n & ~(1n << 32n));
    t.is(clint.read(offset, 4), 0n, `offset ${offset}`);
  }
  clint.write(0, 1, 1n);
  clint.write(0, 2, 1n);
  t.is(clint.read(0xbff8, 2), 0n);
  t.deepEqual(block.words, before);
  t.deepEqual(changed, []);
});
