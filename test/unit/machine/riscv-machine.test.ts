/**
 * Goal: the machine keeps its contract: snapshots go on exactly, dirty pages are those written,
 * every word has a name, stops and bad input are reported, never thrown by a guest.
 * Method: small programs, and the awkward program carried from machine to machine.
 */

import test from 'ava';
import { LockstepError } from '../../../lib/base/error.js';
import type { InputEvent } from '../../../lib/event/event.js';
import type { Machine } from '../../../lib/machine/machine.js';
import { createRiscvMachine } from '../../../lib/machine/riscv-machine.js';
import { assemble } from '../../support/assembler.js';
import { advance, loadMixed } from '../../support/program-mixed.js';
import { COMPILER, Guest, INTERPRETER, PAGE, PROGRAM_CONFIG } from '../../support/program.js';
import { Random } from '../../support/random.js';
import { elfOf } from './images.js';

const END = 6000n;
const RAM = 0x8000_0000;

/** A machine of its own that runs `source` from power-on. */
function booted(source: string): Machine {
  const bios = assemble(source).bytes;
  return createRiscvMachine(PROGRAM_CONFIG, { bios, kernel: null, initrd: null }, INTERPRETER);
}

const at = (machine: Machine): { hart: number; step: bigint } => ({
  hart: 0,
  step: machine.step(0),
});
const wordOf = (machine: Machine, name: string): bigint =>
  machine.words().find((_, index) => machine.wordName(index) === name) ?? -1n;

test('a snapshot taken at any step goes on exactly on a fresh machine', (t) => {
  const source = new Guest(INTERPRETER);
  advance(loadMixed(source), END);
  const expected = source.fingerprint();
  const random = new Random(4);
  loadMixed(source);
  for (let step = 0n; step < END; step += BigInt(1 + random.below(1500))) {
    advance(source, step);
    const target = new Guest(random.pick([INTERPRETER, COMPILER])).copyFrom(source);
    t.is(target.fingerprint(), source.fingerprint(), 'before it goes on');
    advance(target, END);
    t.is(target.fingerprint(), expected, `step ${step}`);
  }
});

test('a restore forgets what the machine held before', (t) => {
  const guest = new Guest(COMPILER);
  advance(loadMixed(guest), 3000n);
  const fresh = new Guest(INTERPRETER);
  guest.copyFrom(fresh);
  t.is(guest.fingerprint(), fresh.fingerprint());
  guest.run(10);
  fresh.run(10);
  t.is(guest.fingerprint(), fresh.fingerprint());
});

/** Pages that are not all zero, as text that can be compared. */
function contentsOf(guest: Guest): Map<number, string> {
  const pages = guest.pages();
  return new Map(pages.map(([page, bytes]) => [page, Buffer.from(bytes).toString('latin1')]));
}

test('dirty pages cover every change, with the hash of their bytes, equal in both engines', (t) => {
  const guests = [new Guest(INTERPRETER), new Guest(COMPILER)];
  for (const guest of guests) {
    loadMixed(guest);
    guest.machine.takeDirtyPages();
  }
  const [first = new Guest(), second = first] = guests;
  let before = contentsOf(first);
  const hashes = new Map<number, bigint>();
  for (let step = 500n; step <= END; step += 500n) {
    advance(first, step);
    advance(second, step);
    const dirty = first.machine.takeDirtyPages();
    t.deepEqual(second.machine.takeDirtyPages(), dirty, `step ${step}`);
    const after = contentsOf(first);
    const changed = [...after].filter(([page, text]) => before.get(page) !== text);
    const pages = dirty.map(([page]) => page);
    t.deepEqual(
      pages,
      [...pages].sort((a, b) => a - b),
    );
    for (const [page] of changed) t.true(pages.includes(page), `page ${page}`);
    for (const [page, hash] of dirty) {
      if (before.get(page) === after.get(page)) t.is(hash, hashes.get(page) ?? hash);
      else t.not(hash, hashes.get(page), `page ${page}`);
      hashes.set(page, hash);
    }
    before = after;
  }
});

test('dirty pages are exactly those written since the last call', (t) => {
  const guest = new Guest(INTERPRETER);
  const program = assemble(`
    sb zero,0(a0)         # page 16
    sd zero,0(a1)         # pages 17 and 18
    amoadd.w zero,a0,(a2) # page 19
    cbo.zero (a3)         # page 20
    ld t0,0(a4)           # nothing
    lr.d t0,(a4)
    sb zero,0(a0)
  done: j done`);
  guest.program(program, {
    ...{ a0: 0x8001_0000n, a1: 0x8001_1ffcn, a2: 0x8001_3000n },
    ...{ a3: 0x8001_4fffn, a4: 0x8001_5000n },
  });
  const dirtyAfter = (steps: number): number[] => {
    guest.run(steps);
    return guest.machine.takeDirtyPages().map(([page]) => page);
  };
  t.deepEqual(dirtyAfter(0), []);
  t.deepEqual(dirtyAfter(1), [16]);
  t.deepEqual(dirtyAfter(1), [17, 18]);
  t.deepEqual(dirtyAfter(2), [19, 20]);
  t.deepEqual(dirtyAfter(2), []);
  t.deepEqual(dirtyAfter(2), [16], 'a page is dirty again after a store that the TLB knew');
  t.deepEqual(dirtyAfter(100), []);
});

test('a page that differs in one bit has another hash', (t) => {
  const guest = new Guest(INTERPRETER);
  const seen = new Set<bigint>();
  for (let bit = 0; bit < 256; bit++) {
    const place = 0x8001_0000 + bit * 16;
    guest.program(assemble('sb a1,0(a0)'), { a0: BigInt(place), a1: 1n << BigInt(bit % 8) });
    guest.run(1);
    for (const [, hash] of guest.machine.takeDirtyPages()) seen.add(hash);
  }
  t.is(seen.size, 256);
});

test('every word has a name of its own', (t) => {
  const { machine } = new Guest(INTERPRETER);
  const names = [...machine.words()].map((_, index) => machine.wordName(index));
  t.is(new Set(names).size, names.length);
  t.deepEqual(
    names.filter((name) => name.includes('?')),
    [],
  );
  t.is(machine.saveWords().length, names.length * 8);
  for (const name of ['hart0.x[10]', 'hart0.pc', 'machine.stopCause', 'plic.pending[0]']) {
    t.true(names.includes(name), name);
  }
});

test('syscon and control stop the machine, once, with an output of one byte', (t) => {
  const write = (value: string): string =>
    `li a0,0x100000\n li a1,${value}\n sw a1,0(a0)\n j 0x80000000`;
  for (const [value, stop, code] of [
    ['0x5555', { cause: 'power-off', status: 0 }, 0],
    ['0x7777', { cause: 'reset', status: 0 }, 1],
    ['0x00073333', { cause: 'exit', status: 7 }, 2],
  ] as const) {
    const machine = booted(write(value));
    t.deepEqual(machine.runUntil({ hart: 0, step: 100n }), { reason: 'stopped', stop });
    t.deepEqual(machine.stopped(), stop);
    const step = machine.step(0);
    machine.runUntil({ hart: 0, step: 1000n });
    t.is(machine.step(0), step, 'a stopped machine stands still');
    t.deepEqual(machine.takeOutput(), [
      { stream: 'power', offset: 0n, bytes: Uint8Array.of(code) },
    ]);
  }
  const machine = booted('j 0x80000000');
  machine.apply({ ...at(machine), kind: 'control', action: 'power-off' });
  t.is(machine.runUntil({ hart: 0, step: 5n }).reason, 'stopped');
});

test('a write to tohost ends the run with its exit code', (t) => {
  const source =
    'la a0,tohost\n li a1,85\n sd a1,0(a0)\n loop: j loop\n .org 0x1000\n tohost: .dword 0';
  const { bytes, address } = assemble(source);
  const kernel = elfOf({
    segments: [[BigInt(RAM), bytes, BigInt(bytes.length)]],
    symbols: [['tohost', address('tohost')]],
  });
  for (const options of [INTERPRETER, COMPILER]) {
    const images = { bios: null, kernel, initrd: null };
    const machine = createRiscvMachine(PROGRAM_CONFIG, images, options);
    const result = machine.runUntil({ hart: 0, step: 1000n });
    t.deepEqual(result, { reason: 'stopped', stop: { cause: 'exit', status: 42 } });
    t.is(machine.step(0), 4n);
  }
});

test('a tohost that does not lie in RAM is no tohost', (t) => {
  const { bytes } = assemble('loop: j loop');
  const end = BigInt(RAM + PROGRAM_CONFIG.memoryBytes);
  for (const address of [end, end - 4n, 0n]) {
    const kernel = elfOf({
      segments: [[BigInt(RAM), bytes, BigInt(bytes.length)]],
      symbols: [['tohost', address]],
    });
    const images = { bios: null, kernel, initrd: null };
    const machine = createRiscvMachine(PROGRAM_CONFIG, images, INTERPRETER);
    t.is(machine.runUntil({ hart: 0, step: 10n }).reason, 'reached');
  }
});

const ECHO = `
  li a0,0x10000000
  li a1,65
loop:
  sb a1,0(a0)
  j loop`;

test('output is numbered without gaps, and much of it makes the machine return', (t) => {
  const machine = booted(ECHO);
  let expected = 0n;
  let returns = 0;
  for (;;) {
    const result = machine.runUntil({ hart: 0, step: 100_000n });
    for (const chunk of machine.takeOutput()) {
      t.is(chunk.stream, 'uart');
      t.is(chunk.offset, expected);
      expected += BigInt(chunk.bytes.length);
    }
    if (result.reason === 'reached') break;
    t.is(result.reason, 'output');
    returns++;
  }
  t.true(returns > 1);
  t.is(wordOf(machine, 'machine.outputOffset[0]'), expected);
});

test('a reset starts over, but for steps, time and what already left', (t) => {
  const machine = booted(ECHO);
  const fresh = booted(ECHO);
  machine.runUntil({ hart: 0, step: 100n });
  const time = machine.time(0);
  machine.apply({ ...at(machine), kind: 'control', action: 'reset' });
  t.is(machine.step(0), 100n);
  t.is(machine.time(0), time);
  const kept = /^machine\.|^hart0\.(?:step|traps|time)/;
  const other = fresh.words();
  const differing = [...machine.words()].flatMap((word, index) =>
    word === other[index] || kept.test(machine.wordName(index)) ? [] : [machine.wordName(index)],
  );
  t.deepEqual(differing, []);
  for (let page = 0; page < machine.ramPageCount; page++) {
    t.deepEqual(machine.savePage(page), fresh.savePage(page));
  }
  t.is(machine.takeDirtyPages().length, machine.ramPageCount);
  machine.runUntil({ hart: 0, step: 200n });
  const chunks = machine.takeOutput();
  t.is(chunks[0]?.offset, 0n, 'output from before the reset is still there');
  const bytes = chunks.reduce((sum, chunk) => sum + chunk.bytes.length, 0);
  t.is(BigInt(bytes), wordOf(machine, 'machine.outputOffset[0]'));
});

test('console input reaches the UART, and its client is remembered', (t) => {
  const machine = booted(
    'li a0,0x10000000\n lbu a1,5(a0)\n lbu a2,0(a0)\n lbu a3,0(a0)\n wait: j wait',
  );
  const input: InputEvent = {
    ...{ ...at(machine), kind: 'console-input', stream: 'uart', client: 5n, sequence: 9n },
    bytes: Uint8Array.of(0x68, 0x69),
  };
  const space = machine.inputSpace('uart');
  machine.apply(input);
  t.is(machine.inputSpace('uart'), space - 2);
  t.is(machine.lastInputSequence(5n), 9n);
  t.is(machine.lastInputSequence(6n), 0n);
  machine.runUntil({ hart: 0, step: 10n });
  t.is(wordOf(machine, 'hart0.x[12]'), 0x68n);
  t.is(wordOf(machine, 'hart0.x[13]'), 0x69n);
});

test('an event that is not at the point where the hart stands is a broken invariant', (t) => {
  const machine = booted('j 0x80000000');
  const event: InputEvent = { hart: 0, step: 1n, kind: 'control', action: 'snapshot' };
  t.throws(() => machine.apply(event), { name: 'AssertionError' });
  t.throws(() => machine.apply({ ...event, hart: 1 }), { name: 'AssertionError' });
  t.throws(() => machine.runUntil({ hart: 1, step: 1n }), { name: 'AssertionError' });
});

test('a snapshot of another shape is refused', (t) => {
  const { machine } = new Guest(INTERPRETER);
  const words = machine.saveWords();
  const bad = { instanceOf: LockstepError, code: 'BAD_SNAPSHOT' };
  t.throws(() => machine.restore(words.subarray(8), []), bad);
  t.throws(() => machine.restore(words, [[machine.ramPageCount, new Uint8Array(PAGE)]]), bad);
  t.throws(() => machine.restore(words, [[-1, new Uint8Array(PAGE)]]), bad);
  t.throws(() => machine.restore(words, [[0, new Uint8Array(PAGE - 1)]]), bad);
  t.throws(() => machine.restore(words, [[0.5, new Uint8Array(PAGE)]]), bad);
});

test('a configuration that this version does not run is refused with what to give', (t) => {
  const images = { bios: Uint8Array.of(0x6f, 0, 0, 0), kernel: null, initrd: null };
  for (const change of [
    { harts: 9 },
    { harts: 0 },
    { memoryBytes: 2 ** 20 },
    { memoryBytes: 3 * 2 ** 20 },
    { memoryBytes: 2 ** 32 },
    { memoryBytes: NaN },
  ]) {
    t.throws(() => createRiscvMachine({ ...PROGRAM_CONFIG, ...change }, images), {
      instanceOf: LockstepError,
      code: 'USAGE',
    });
  }
});

test('a page of zeros is saved as nothing', (t) => {
  const guest = new Guest(INTERPRETER).load([[RAM + PAGE, Uint8Array.of(1)]]);
  t.is(guest.machine.savePage(0), null);
  t.is(guest.machine.savePage(1)?.[0], 1);
});
