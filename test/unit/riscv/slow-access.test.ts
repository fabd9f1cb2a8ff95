/**
 * Goal: accesses that the TLB does not answer do all or nothing, and name the address and the
 * cause that the specification asks for.
 * Method: single instructions at page borders, on devices, on pages without permission; atomics
 * and cbo.zero as docs/DIVERGENCES.md and the CMO specification describe them; both engines.
 */

import test from 'ava';
import { assemble } from '../../support/assembler.js';
import {
  COMPILER,
  Guest,
  INTERPRETER,
  OPEN_PMP,
  THOROUGH,
  type Words,
} from '../../support/program.js';
import { PageTables, PTE, SUPERVISOR_PAGE } from '../../support/program-paging.js';

const CODE = 0x8000_0000;
const DATA = 0x4000_0000n;
const READ_ONLY = SUPERVISOR_PAGE & ~PTE.W;
const DEVICE = 0x1000_0000n;
/** The RAM behind DATA, and behind the page after it. */
const FIRST = 0x8007_0000;
const SECOND = 0x8009_0000;

/** What lies behind the page after DATA. */
type Next = 'mapped' | 'absent' | 'read-only' | 'device' | 'nothing';
const NEXT_PAGES: Readonly<Record<Exclude<Next, 'absent'>, readonly [bigint, number]>> = {
  mapped: [BigInt(SECOND), SUPERVISOR_PAGE],
  'read-only': [BigInt(SECOND), READ_ONLY],
  device: [DEVICE, SUPERVISOR_PAGE],
  nothing: [0x2000_0000n, SUPERVISOR_PAGE],
};

function enter(guest: Guest, source: string, next: Next, words: Words = {}): Guest {
  const tables = new PageTables();
  tables.mapSame(CODE, 1);
  tables.map(DATA, BigInt(FIRST));
  if (next !== 'absent') tables.map(DATA + 0x1000n, ...NEXT_PAGES[next]);
  const program = assemble(source);
  const filled = new Uint8Array(0x1000).fill(0xaa);
  return guest.load(
    [[CODE, program.bytes], [FIRST, filled], [SECOND, filled], ...tables.memory()],
    { ...OPEN_PMP, ...tables.words(), privilege: 1n, menvcfg: 0x80n, ...words },
  );
}

const SIZES = { h: 2, w: 4, d: 8 } as const;
const engines = [
  ['interpreter', new Guest(INTERPRETER)],
  ['compiler', new Guest(COMPILER)],
  ['thorough compiler', new Guest(THOROUGH)],
] as const;

for (const [engine, guest] of engines) {
  test(`an access across pages touches both, at every offset (${engine})`, (t) => {
    for (const [letter, bytes] of Object.entries(SIZES)) {
      for (let before = 1; before < bytes; before++) {
        const address = DATA + 0x1000n - BigInt(before);
        const value = 0x0807_0605_0403_0201n;
        enter(guest, `s${letter} a1,0(a0)\n l${letter} a2,0(a0)`, 'mapped', {
          a0: address,
          a1: value,
        }).run(2);
        const bits = bytes * 8;
        t.is(guest.get('a2'), BigInt.asUintN(64, BigInt.asIntN(bits, value)));
        t.is(guest.read(FIRST + 0x1000 - before, before), BigInt.asUintN(before * 8, value));
        t.is(guest.read(SECOND, bytes - before), BigInt.asUintN(bits, value) >> BigInt(before * 8));
        t.is(guest.read(FIRST + 0xfff - before, 1), 0xaan);
        t.is(guest.read(SECOND + bytes - before, 1), 0xaan);
      }
    }
  });

  test(`a store across pages that faults writes nothing, and names the second page (${engine})`, (t) => {
    const causes = { absent: 15n, 'read-only': 15n, device: 7n, nothing: 7n } as const;
    for (const [next, cause] of Object.entries(causes)) {
      for (const [letter, bytes] of Object.entries(SIZES)) {
        for (let before = 1; before < bytes; before++) {
          enter(guest, `s${letter} a1,0(a0)`, next as Next, {
            a0: DATA + 0x1000n - BigInt(before),
          }).run(1);
          t.is(guest.get('mcause'), cause, next);
          t.is(guest.get('mtval'), DATA + 0x1000n, next);
          t.is(guest.read(FIRST + 0xff8, 8), 0xaaaa_aaaa_aaaa_aaaan);
          t.is(guest.read(SECOND, 8), 0xaaaa_aaaa_aaaa_aaaan);
        }
      }
    }
  });

  test(`a load across pages that faults names the second page and keeps rd (${engine})`, (t) => {
    const causes = { absent: 13n, device: 5n, nothing: 5n } as const;
    for (const [next, cause] of Object.entries(causes)) {
      enter(guest, 'ld a1,0(a0)', next as Next, { a0: DATA + 0xffdn, a1: 77n }).run(1);
      t.is(guest.get('mcause'), cause, next);
      t.is(guest.get('mtval'), DATA + 0x1000n, next);
      t.is(guest.get('a1'), 77n);
    }
  });

  test(`an access whose first page faults names its own address (${engine})`, (t) => {
    enter(guest, 'sd a1,0(a0)', 'mapped', { a0: DATA - 3n }).run(1);
    t.deepEqual([guest.get('mcause'), guest.get('mtval')], [15n, DATA - 3n]);
    enter(guest, 'ld a1,0(a0)', 'absent', { a0: DATA + 0x1ffdn }).run(1);
    t.deepEqual([guest.get('mcause'), guest.get('mtval')], [13n, DATA + 0x1ffdn]);
  });

  test(`a misaligned access within a page is done, in TLB and out of it (${engine})`, (t) => {
    for (let offset = 0n; offset < 9n; offset++) {
      const source = 'sd a1,0(a0)\n ld a2,0(a0)\n sd a1,0(a0)\n lw a3,1(a0)\n lhu a4,3(a0)';
      enter(guest, source, 'absent', { a0: DATA + 64n + offset, a1: 0x8877_6655_4433_2211n });
      guest.run(5);
      t.is(guest.get('a2'), 0x8877_6655_4433_2211n);
      t.is(guest.get('a3'), 0x5544_3322n);
      t.is(guest.get('a4'), 0x5544n);
    }
  });

  test(`devices refuse misaligned accesses and addresses without a device (${engine})`, (t) => {
    for (const [source, a0, cause] of [
      ['lw a1,0(a0)', DATA + 0x1002n, 5n],
      ['sw a1,0(a0)', DATA + 0x1001n, 7n],
    ] as const) {
      enter(guest, source, 'device', { a0 }).run(1);
      t.deepEqual([guest.get('mcause'), guest.get('mtval')], [cause, a0]);
    }
    enter(guest, 'lw a1,0(a0)', 'nothing', { a0: DATA + 0x1000n }).run(1);
    t.is(guest.get('mcause'), 5n);
  });

  test(`atomics fault: misaligned, on devices, without permission (${engine})`, (t) => {
    const atomics = ['lr', 'sc', 'amoadd', 'amomaxu'] as const;
    const cases: readonly (readonly [Next, bigint, (isLoad: boolean) => bigint])[] = [
      ['mapped', DATA + 2n, (isLoad) => (isLoad ? 4n : 6n)],
      ['device', DATA + 0x1000n, (isLoad) => (isLoad ? 5n : 7n)],
      ['nothing', DATA + 0x1000n, (isLoad) => (isLoad ? 5n : 7n)],
      ['absent', DATA + 0x1000n, (isLoad) => (isLoad ? 13n : 15n)],
      ['read-only', DATA + 0x1000n, (isLoad) => (isLoad ? 0n : 15n)],
      ['read-only', DATA + 0x1001n, (isLoad) => (isLoad ? 4n : 6n)],
    ];
    for (const name of atomics) {
      for (const letter of ['w', 'd']) {
        for (const [next, a0, causeOf] of cases) {
          const isLoad = name === 'lr';
          const operands = isLoad ? 'a2,(a0)' : 'a2,a1,(a0)';
          // A reservation, so that the store-conditional looks at memory at all.
          const source = `lr.d a3,(a4)\n ${name}.${letter} ${operands}`;
          enter(guest, source, next, { a0, a4: DATA }).run(2);
          t.is(guest.get('mcause'), causeOf(isLoad), `${name}.${letter} ${next}`);
          if (guest.get('mcause') !== 0n) t.is(guest.get('mtval'), a0);
        }
      }
    }
  });

  test(`a misaligned store-conditional faults also without a reservation (${engine})`, (t) => {
    enter(guest, 'sc.w a2,a1,(a0)', 'mapped', { a0: DATA + 2n }).run(1);
    t.deepEqual([guest.get('mcause'), guest.get('mtval')], [6n, DATA + 2n]);
    enter(guest, 'sc.d a2,a1,(a0)', 'mapped', { a0: DATA + 4n }).run(1);
    t.deepEqual([guest.get('mcause'), guest.get('mtval')], [6n, DATA + 4n]);
  });

  const conditional: readonly (readonly [string, string, bigint])[] = [
    ['right behind LR', '', 0n],
    ['without LR', 'sc.d zero,zero,(a0)', 1n],
    ['after a store of another value', 'sd a1,0(a0)', 1n],
    ['after a store of the same value', 'sd t0,0(a0)', 0n],
    ['after a value was changed and changed back', 'sd a1,0(a0)\n sd t0,0(a0)', 0n],
    ['after another LR', 'lr.d t1,(a3)', 1n],
    ['after a trap', 'li a4,0\n ecall', 1n],
    ['after an SC elsewhere', 'sc.d zero,a1,(a3)', 1n],
  ];
  for (const [name, between, expected] of conditional) {
    test(`store-conditional ${expected === 0n ? 'succeeds' : 'fails'} ${name} (${engine})`, (t) => {
      const program = assemble(`
        li s1,3
      warm:
        addi s1,s1,-1
        bnez s1,warm
        lr.d t0,(a0)
        ${between}
      resume:
        sc.d a2,a1,(a0)
        ld a5,0(a0)
      done: j done
        .align 4
      handler:
        j resume`);
      guest.program(program, {
        ...{ a0: BigInt(FIRST), a1: 5n, a2: 9n, a3: BigInt(FIRST + 64) },
        mtvec: program.address('handler'),
      });
      guest.runTo(program.address('done'));
      t.is(guest.get('a2'), expected);
      if (expected === 0n) t.is(guest.get('a5'), 5n);
      t.is(guest.get('reservation'), 0n);
    });
  }

  test(`a trap return ends the reservation (${engine})`, (t) => {
    const program = assemble(`
      la t1,next
      csrw mepc,t1
      lr.w t0,(a0)
      mret
    next:
      sc.w a2,a1,(a0)`);
    guest.program(program, { a0: BigInt(FIRST), mstatus: 3n << 11n }).run(7);
    t.is(guest.get('a2'), 1n);
  });

  test(`cbo.zero clears exactly its block of 64 bytes (${engine})`, (t) => {
    for (const offset of [0n, 1n, 63n, 0xfc0n, 0xfffn]) {
      const block = Number(offset & ~63n);
      enter(guest, 'cbo.zero (a0)\n cbo.zero (a0)', 'absent', { a0: DATA + offset }).run(2);
      t.is(guest.get('traps'), 0n);
      for (let at = 0; at < 64; at += 8) t.is(guest.read(FIRST + block + at, 8), 0n);
      if (block > 0) t.is(guest.read(FIRST + block - 1, 1), 0xaan);
      if (block < 0xfc0) t.is(guest.read(FIRST + block + 64, 1), 0xaan);
    }
  });

  test(`cbo.zero faults as a store, at the address of its operand (${engine})`, (t) => {
    for (const [next, cause] of [
      ['absent', 15n],
      ['read-only', 15n],
      ['device', 7n],
      ['nothing', 7n],
    ] as const) {
      enter(guest, 'cbo.zero (a0)', next, { a0: DATA + 0x1035n }).run(1);
      t.deepEqual([guest.get('mcause'), guest.get('mtval')], [cause, DATA + 0x1035n], next);
    }
  });

  test(`cbo.zero is illegal unless menvcfg and senvcfg allow it (${engine})`, (t) => {
    const tries = [
      [3n, 0n, 0n, true],
      [1n, 0n, 0x80n, false],
      [1n, 0x80n, 0n, true],
      [0n, 0x80n, 0n, false],
      [0n, 0n, 0x80n, false],
      [0n, 0x80n, 0x80n, true],
    ] as const;
    for (const [privilege, menvcfg, senvcfg, allowed] of tries) {
      guest.program(assemble('cbo.zero (a0)\n cbo.zero (a0)'), {
        ...{ privilege, menvcfg, senvcfg, a0: BigInt(FIRST) },
      });
      guest.run(1);
      t.is(guest.get('mcause'), allowed ? 0n : 2n, `${privilege} ${menvcfg} ${senvcfg}`);
      if (!allowed) t.is(guest.get('mtval'), 0x0045200fn);
    }
  });

  test(`cbo.zero stops being allowed with the next instruction (${engine})`, (t) => {
    const source = 'cbo.zero (a0)\n cbo.zero (a0)\n csrw senvcfg,zero\n cbo.zero (a0)';
    enter(guest, source, 'mapped', { a0: DATA, menvcfg: 0x80n, senvcfg: 0x80n }).run(4);
    t.is(guest.get('traps'), 0n, 'senvcfg does not concern S mode');
    guest.program(assemble(`${source}\n csrw menvcfg,zero\n cbo.zero (a0)`), { a0: BigInt(FIRST) });
    guest.run(6);
    t.is(guest.get('traps'), 0n, 'nothing concerns M mode');
  });
}
