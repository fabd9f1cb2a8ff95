/**
 * Goal: physical memory protection as in section 3.7 of the privileged specification, with a
 * granularity of a page that software can find out.
 * Method: registers written and read back; permissions asked of the unit, and once from a program.
 */

import test from 'ava';
import { assemble } from '../../support/assembler.js';
import { hartParts } from '../../support/program-parts.js';
import { COMPILER, Guest, INTERPRETER, THOROUGH } from '../../support/program.js';
import type { Access, Pmp } from '../../../lib/riscv/pmp.js';

const [R, W, X, TOR, NA4, NAPOT, LOCK] = [1, 2, 4, 1 << 3, 2 << 3, 3 << 3, 0x80];
const ALL = (1n << 54n) - 1n;
const [USER, SUPERVISOR, MACHINE] = [0, 1, 3];

/** All entries off. */
function empty(): Pmp {
  const { pmp } = hartParts();
  pmp.writeConfig(0, 0n);
  pmp.writeAddress(0, 0n);
  return pmp;
}

function configure(
  pmp: Pmp,
  entries: readonly (readonly [config: number, address: bigint])[],
): Pmp {
  entries.forEach(([, address], index) => pmp.writeAddress(index, address));
  let value = 0n;
  entries.forEach(([config], index) => (value |= BigInt(config) << BigInt(index * 8)));
  pmp.writeConfig(0, value);
  return pmp;
}

const pages = (pmp: Pmp, access: Access, privilege: number, range: readonly number[]): number[] =>
  range.filter((page) => pmp.allows(page, access, privilege));

test('without a matching entry M may do everything, S and U nothing', (t) => {
  for (const access of ['read', 'write', 'fetch'] as const) {
    t.true(empty().allows(0x80000, access, MACHINE));
    t.false(empty().allows(0x80000, access, SUPERVISOR));
    t.false(empty().allows(0x80000, access, USER));
  }
});

test('an entry gives S and U its permissions, and M only if it is locked', (t) => {
  for (const permissions of [0, R, X, R | X, R | W, R | W | X]) {
    for (const lock of [0, LOCK]) {
      const pmp = configure(empty(), [[permissions | NAPOT | lock, ALL]]);
      for (const [access, bit] of [
        ['read', R],
        ['write', W],
        ['fetch', X],
      ] as const) {
        const granted = (permissions & bit) !== 0;
        t.is(pmp.allows(1, access, USER), granted);
        t.is(pmp.allows(1, access, SUPERVISOR), granted);
        t.is(pmp.allows(1, access, MACHINE), lock === 0 || granted);
      }
    }
  }
});

test('NAPOT covers 2^(ones + 3) bytes from its base', (t) => {
  for (const [size, base] of [
    [1, 5],
    [2, 6],
    [4, 8],
    [16, 32],
  ] as const) {
    const address = (BigInt(base) << 10n) | ((BigInt(size) << 9n) - 1n);
    const pmp = configure(empty(), [[R | NAPOT, address]]);
    const expected = Array.from({ length: size }, (_, index) => base + index);
    t.deepEqual(
      pages(
        pmp,
        'read',
        USER,
        Array.from({ length: 64 }, (_, page) => page),
      ),
      expected,
    );
  }
});

test('TOR covers from the address of the entry before, the first from zero', (t) => {
  const pmp = configure(empty(), [
    [R | TOR, 3n << 10n],
    [0, 5n << 10n],
    [R | W | TOR, 8n << 10n],
    [R | TOR, 4n << 10n],
  ]);
  const range = Array.from({ length: 12 }, (_, page) => page);
  t.deepEqual(pages(pmp, 'read', USER, range), [0, 1, 2, 5, 6, 7]);
  t.deepEqual(pages(pmp, 'write', USER, range), [5, 6, 7]);
});

test('the lowest matching entry decides', (t) => {
  const pmp = configure(empty(), [
    [TOR, 2n << 10n],
    [R | NAPOT, ALL],
  ]);
  t.deepEqual(pages(pmp, 'read', USER, [0, 1, 2, 3]), [2, 3]);
});

test('W without R and four-byte regions are not taken', (t) => {
  const pmp = configure(empty(), [
    [W | NAPOT, ALL],
    [W | X | NAPOT, ALL],
    [R | NA4, ALL],
    [0x60 | R | NAPOT, ALL],
  ]);
  t.is(
    pmp.readConfig(0),
    BigInt(NAPOT | ((X | NAPOT) << 8) | (R << 16)) | (BigInt(R | NAPOT) << 24n),
  );
});

test('the granularity of 4 KiB is found by writing ones and reading back', (t) => {
  const pmp = empty();
  pmp.writeAddress(0, (1n << 64n) - 1n);
  t.is(pmp.readAddress(0), ALL & ~0x3ffn, 'bits 9 to 0 read as zero while off');
  pmp.writeConfig(0, BigInt(NAPOT));
  t.is(pmp.readAddress(0), ALL);
  pmp.writeAddress(0, 0n);
  t.is(pmp.readAddress(0), 0x1ffn, 'bits 8 to 0 read as ones with NAPOT');
  pmp.writeConfig(0, BigInt(TOR));
  t.is(pmp.readAddress(0), 0n);
});

test('a locked entry keeps its registers, and with TOR the address below', (t) => {
  const pmp = configure(empty(), [
    [0, 2n << 10n],
    [R | TOR | LOCK, 4n << 10n],
    [R | NAPOT | LOCK, 8n << 10n],
  ]);
  const before = [0, 1, 2].map((index) => pmp.readAddress(index));
  const config = pmp.readConfig(0);
  for (const index of [0, 1, 2]) pmp.writeAddress(index, 99n << 10n);
  pmp.writeConfig(0, 0n);
  t.deepEqual(
    [0, 1, 2].map((index) => pmp.readAddress(index)),
    before,
  );
  t.is(pmp.readConfig(0), config & 0xffff00n);
});

test('entries 8 to 15 are in pmpcfg2', (t) => {
  const pmp = empty();
  pmp.writeAddress(15, ALL);
  pmp.writeConfig(2, BigInt(R | NAPOT) << 56n);
  t.true(pmp.allows(7, 'read', USER));
  t.is(pmp.readConfig(2), BigInt(R | NAPOT) << 56n);
  t.is(pmp.readConfig(0), 0n);
});

for (const [engine, options] of [
  ['interpreter', INTERPRETER],
  ['compiler', COMPILER],
  ['thorough compiler', THOROUGH],
] as const) {
  test(`a program meets PMP faults as access faults, from the next instruction (${engine})`, (t) => {
    const guest = new Guest(options);
    const program = assemble(`
      li s1,3
    warm:
      ld a1,0(a0)
      sd a1,0(a0)
      addi s1,s1,-1
      bnez s1,warm
      csrw pmpaddr1,t0
      csrw pmpaddr2,t1
      csrw pmpaddr3,t3
      csrw pmpcfg0,t2
      ld a1,0(a0)
      sd a1,0(a0)`);
    const data = 0x8004_0000n;
    guest.program(program, {
      ...{ a0: data, t0: data >> 2n, t1: (data + 0x1000n) >> 2n, t3: ALL },
      // Locked: everything below, then one page that may only be read, then everything.
      t2: BigInt(((R | W | X | TOR) << 8) | ((R | TOR | LOCK) << 16)) | (0x1fn << 24n),
    });
    guest.runTo(0n);
    t.deepEqual([guest.get('mcause'), guest.get('mtval')], [7n, data]);
    t.is(guest.get('mepc'), BigInt(program.base + program.bytes.length - 4));
  });
}
