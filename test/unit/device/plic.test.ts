/**
 * Goal: claim and complete keep the rules of the PLIC specification on two harts.
 * Method: register accesses and source lines; at last random ones against the invariant that a
 * source is never pending and in service at once.
 */

import test from 'ava';
import { Plic, plicSpec } from '../../../lib/device/plic.js';
import { blockOf, random } from './rig.js';

const HARTS = 2;
const M0 = 0;
const S0 = 1;
const S1 = 3;

function rig() {
  const external = new Map<string, boolean>();
  const block = blockOf(plicSpec(HARTS));
  const plic = new Plic(block, {
    base: 0xc00_0000,
    harts: HARTS,
    setExternal: (hart, mode, level) => external.set(`${mode}${hart}`, level),
  });
  plic.reset();
  const write = (offset: number, value: number): void => plic.write(offset, 4, BigInt(value));
  const read = (offset: number): number => Number(plic.read(offset, 4));
  return {
    plic,
    block,
    read,
    write,
    line: (context: string) => external.get(context) === true,
    priority: (source: number, value: number) => write(source * 4, value),
    enable: (context: number, source: number) => {
      const at = 0x2000 + context * 0x80 + (source >> 5) * 4;
      write(at, (read(at) | (1 << (source & 31))) >>> 0);
    },
    threshold: (context: number, value: number) => write(0x20_0000 + context * 0x1000, value),
    claim: (context: number) => read(0x20_0004 + context * 0x1000),
    complete: (context: number, source: number) => write(0x20_0004 + context * 0x1000, source),
  };
}

test('an enabled source above the threshold drives the line of its context alone', (t) => {
  const { plic, priority, enable, line } = rig();
  priority(10, 1);
  enable(S0, 10);
  t.false(line('S0'));
  plic.setLine(10, true);
  t.true(line('S0'));
  t.deepEqual([line('M0'), line('M1'), line('S1')], [false, false, false]);
});

test('a claimed source comes again only after completion, and only if its line is high', (t) => {
  const { plic, priority, enable, claim, complete, line } = rig();
  priority(10, 1);
  enable(S0, 10);
  plic.setLine(10, true);
  t.is(claim(S0), 10);
  t.false(line('S0'));
  t.is(claim(S0), 0, 'nothing else is pending');
  plic.setLine(10, false);
  plic.setLine(10, true);
  t.false(line('S0'), 'the gateway holds the request back');
  complete(S0, 10);
  t.true(line('S0'), 'the line is still high');
  t.is(claim(S0), 10);
  plic.setLine(10, false);
  complete(S0, 10);
  t.false(line('S0'));
});

test('a pending source stays pending when its line drops', (t) => {
  const { plic, priority, enable, claim, line } = rig();
  priority(3, 1);
  enable(S0, 3);
  plic.setLine(3, true);
  plic.setLine(3, false);
  t.true(line('S0'));
  t.is(claim(S0), 3);
});

test('priority decides, then the lower number; priority 0 never interrupts', (t) => {
  const { plic, priority, enable, claim } = rig();
  for (const [source, value] of [
    [5, 2],
    [40, 7],
    [41, 7],
    [95, 1],
    [7, 0],
  ] as const) {
    priority(source, value);
    enable(S0, source);
    plic.setLine(source, true);
  }
  t.deepEqual([claim(S0), claim(S0), claim(S0), claim(S0), claim(S0)], [40, 41, 5, 95, 0]);
});

test('the threshold masks the line but not a claim', (t) => {
  const { plic, priority, enable, threshold, claim, line } = rig();
  priority(10, 3);
  enable(S0, 10);
  threshold(S0, 3);
  plic.setLine(10, true);
  t.false(line('S0'));
  t.is(claim(S0), 10);
});

test('two contexts share a source, and one claim takes it from both', (t) => {
  const { plic, priority, enable, claim, complete, line } = rig();
  priority(10, 1);
  enable(S0, 10);
  enable(S1, 10);
  plic.setLine(10, true);
  t.deepEqual([line('S0'), line('S1')], [true, true]);
  t.is(claim(S1), 10);
  t.deepEqual([line('S0'), line('S1')], [false, false]);
  t.is(claim(S0), 0);
  complete(S1, 10);
  t.true(line('S0'));
});

test('a completion without enable, of 0, or of a source that does not exist is ignored', (t) => {
  const { plic, priority, enable, claim, complete, line } = rig();
  priority(10, 1);
  enable(S0, 10);
  plic.setLine(10, true);
  t.is(claim(S0), 10);
  for (const source of [0, 96, 1000, 0xffff_ffff]) complete(S0, source);
  complete(M0, 10);
  t.false(line('S0'));
  complete(S0, 10);
  t.true(line('S0'));
});

test('pending bits can be read and not written, and source 0 can not be enabled', (t) => {
  const { plic, read, write } = rig();
  plic.setLine(33, true);
  write(0x1004, 0);
  t.is(read(0x1004), 2);
  write(0x2000, 0xffff_ffff);
  t.is(read(0x2000), 0xffff_fffe);
  write(0, 7);
  t.is(read(0), 0);
});

test('priorities and thresholds keep three bits; what does not exist reads 0', (t) => {
  const { read, write, priority, threshold, plic } = rig();
  priority(95, 0xff);
  threshold(S1, 0x18);
  t.is(read(95 * 4), 7);
  t.is(read(0x20_3000), 0);
  for (const offset of [96 * 4, 0x100c, 0x200c, 0x2200, 0x20_0008, 0x20_4000, 0x5f_fffc]) {
    write(offset, 0xffff_ffff);
    t.is(read(offset), 0, `offset ${offset.toString(16)}`);
  }
  t.is(plic.read(95 * 4, 8), 0n);
  t.is(plic.read(95 * 4, 1), 0n);
});

test('no sequence of accesses makes a source pending and in service at once (20,000)', (t) => {
  const { plic, block, read, write } = rig();
  const next = random(7);
  const pending = block.index('pending');
  const inService = block.index('inService');
  for (let round = 0; round < 20_000; round++) {
    const offset = [next(96) * 4, 0x2000 + next(0x200), 0x20_0000 + next(4) * 0x1000 + next(2) * 4];
    const at = (offset[next(3)] ?? 0) & ~3;
    if (next(3) === 0) read(at);
    else if (next(2) === 0) write(at, next(128));
    else plic.setLine(1 + next(95), next(2) === 1);
    for (const word of [0, 1]) {
      const both = block.get(pending + word) & block.get(inService + word);
      if (both !== 0n) t.fail(`round ${round}`);
    }
  }
  t.pass();
});
