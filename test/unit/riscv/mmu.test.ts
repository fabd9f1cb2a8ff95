/**
 * Goal: translation follows sections 12.3 to 12.5 of the privileged specification with Svade, and
 * the TLB can't be seen.
 * Method: every combination of flags against a model written from the text; then guest programs
 * that change page tables under their own feet, in both engines.
 */

import test from 'ava';
import { PAGE_HAS_TABLES } from '../../../lib/riscv/hart-memory.js';
import type { Access } from '../../../lib/riscv/pmp.js';
import { assemble } from '../../support/assembler.js';
import { hartParts, type HartParts } from '../../support/program-parts.js';
import { COMPILER, Guest, INTERPRETER, OPEN_PMP, type Words } from '../../support/program.js';
import { PageTables, PTE, SUPERVISOR_PAGE, USER_PAGE } from '../../support/program-paging.js';

const PAGE_FAULTS = { fetch: 12, read: 13, write: 15 } as const;
const ACCESS_FAULTS = { fetch: 1, read: 5, write: 7 } as const;
const ACCESSES = ['fetch', 'read', 'write'] as const;
const SUM = 1n << 18n;
const MXR = 1n << 19n;
const MPRV = 1n << 17n;

/** The physical address, or minus the exception's code. */
function translate({ mmu }: HartParts, virtual: bigint, access: Access): number {
  const low = Number(BigInt.asIntN(32, virtual));
  const page = mmu.translate(low, Number(BigInt.asIntN(32, virtual >> 32n)), access);
  return page >= 0 ? page * 4096 + (low & 0xfff) : page;
}

function supervisor(tables: PageTables, parts = hartParts()): HartParts {
  parts.fill(tables.memory());
  parts.put('satp', tables.satp);
  parts.put('privilege', 1n);
  return parts;
}

interface Situation {
  readonly privilege: 0 | 1;
  readonly sum: boolean;
  readonly mxr: boolean;
}

/** What the text says of a leaf with these flags. */
function mayAccess(flags: number, access: Access, { privilege, sum, mxr }: Situation): boolean {
  const has = (bit: number): boolean => (flags & bit) !== 0;
  if (!has(PTE.V) || (has(PTE.W) && !has(PTE.R))) return false;
  if (!has(PTE.R) && !has(PTE.X)) return false;
  if (privilege === 0 && !has(PTE.U)) return false;
  if (privilege === 1 && has(PTE.U) && (access === 'fetch' || !sum)) return false;
  if (!has(PTE.A)) return false;
  if (access === 'fetch') return has(PTE.X);
  if (access === 'read') return has(PTE.R) || (mxr && has(PTE.X));
  return has(PTE.W) && has(PTE.D);
}

test('every combination of flags allows what the specification says', (t) => {
  const tables = new PageTables();
  const at = tables.map(0x4000_0000n, 0x8007_0000n);
  const parts = supervisor(tables);
  let cases = 0;
  for (let flags = 0; flags < 256; flags++) {
    parts.memory.view.setBigUint64(
      parts.memory.hostOf(at),
      (0x8007_0000n >> 2n) | BigInt(flags),
      true,
    );
    for (const privilege of [0, 1] as const) {
      for (const sum of [false, true]) {
        for (const mxr of [false, true]) {
          parts.put('privilege', BigInt(privilege));
          parts.put('mstatus', (sum ? SUM : 0n) | (mxr ? MXR : 0n));
          for (const access of ACCESSES) {
            const allowed = mayAccess(flags, access, { privilege, sum, mxr });
            const found = translate(parts, 0x4000_0123n, access);
            const expected = allowed ? 0x8007_0123 : -PAGE_FAULTS[access];
            if (found !== expected) t.is(found, expected, `${flags} ${privilege} ${sum} ${mxr}`);
            cases++;
          }
        }
      }
    }
  }
  t.is(cases, 256 * 24);
});

test('MPRV gives data accesses of M mode the rules of MPP, and fetches none', (t) => {
  const tables = new PageTables();
  tables.map(0x4000_0000n, 0x8007_0000n);
  tables.map(0x4000_1000n, 0x8007_1000n, USER_PAGE);
  const parts = supervisor(tables);
  parts.put('privilege', 3n);
  const as = (mpp: bigint, virtual: bigint): number => {
    parts.put('mstatus', MPRV | (mpp << 11n));
    return translate(parts, virtual, 'read');
  };
  t.is(as(1n, 0x4000_0000n), 0x8007_0000);
  t.is(as(1n, 0x4000_1000n), -13);
  t.is(as(0n, 0x4000_0000n), -13);
  t.is(as(0n, 0x4000_1000n), 0x8007_1000);
  t.is(as(3n, 0x4000_0000n), 0x4000_0000);
  t.is(translate(parts, 0x4000_0000n, 'fetch'), 0x4000_0000);
});

for (const mode of ['sv39', 'sv48'] as const) {
  test(`${mode}: pages and superpages of every level translate`, (t) => {
    const tables = new PageTables(mode);
    tables.map(0x1000n, 0x8007_0000n);
    tables.map(0x20_0000n, 0x8000_0000n, SUPERVISOR_PAGE, 1);
    tables.map(0x4000_0000n, 0x8000_0000n, SUPERVISOR_PAGE, 2);
    const parts = supervisor(tables);
    t.is(translate(parts, 0x1abcn, 'read'), 0x8007_0abc);
    t.is(translate(parts, 0x21_2345n, 'write'), 0x8001_2345);
    t.is(translate(parts, 0x7fff_ffffn, 'fetch'), 0xbfff_ffff);
    t.is(translate(parts, 0x2000n, 'read'), -13);
    if (mode === 'sv48') {
      tables.map(1n << 39n, 0n, SUPERVISOR_PAGE, 3);
      parts.fill(tables.memory());
      t.is(translate(parts, (1n << 39n) + 0x8000_1234n, 'read'), 0x8000_1234);
    }
  });

  test(`${mode}: a misaligned superpage is a page fault`, (t) => {
    const tables = new PageTables(mode);
    for (let level = 1; level < tables.levels; level++) {
      tables.map(0n, 0x1000n << BigInt(9 * (level - 1)), SUPERVISOR_PAGE, level);
      const parts = supervisor(tables);
      for (const access of ACCESSES) t.is(translate(parts, 0n, access), -PAGE_FAULTS[access]);
      tables.set(tables.entryAt(0n, level), 0n);
    }
  });

  test(`${mode}: an address whose upper bits are not copies of the sign is a page fault`, (t) => {
    const tables = new PageTables(mode);
    const bits = mode === 'sv39' ? 39n : 48n;
    const top = (1n << 64n) - 0x1000n;
    tables.map(top, 0x8007_0000n);
    tables.map(0x1000n, 0x8007_1000n);
    const parts = supervisor(tables);
    t.is(translate(parts, top + 8n, 'read'), 0x8007_0008);
    for (let bit = bits - 1n; bit < 64n; bit++) {
      for (const access of ACCESSES) {
        t.is(translate(parts, 0x1000n | (1n << bit), access), -PAGE_FAULTS[access], `bit ${bit}`);
        t.is(translate(parts, top ^ (1n << bit), access), -PAGE_FAULTS[access], `bit ${bit}`);
      }
    }
  });
}

test('reserved bits of an entry are a page fault, in leaves and above', (t) => {
  const tables = new PageTables();
  const leaf = tables.map(0x4000_0000n, 0x8007_0000n);
  const above = tables.entryAt(0x4000_0000n, 1);
  const parts = supervisor(tables);
  const { view } = parts.memory;
  for (const at of [leaf, above]) {
    const host = parts.memory.hostOf(at);
    const good = view.getBigUint64(host, true);
    const bad = [...Array.from({ length: 10 }, (_, index) => 1n << BigInt(54 + index))];
    if (at === above) bad.push(BigInt(PTE.U), BigInt(PTE.A), BigInt(PTE.D), BigInt(PTE.W));
    for (const bits of bad) {
      view.setBigUint64(host, good | bits, true);
      t.is(translate(parts, 0x4000_0000n, 'read'), -13, `${bits}`);
    }
    view.setBigUint64(host, good, true);
    t.is(translate(parts, 0x4000_0000n, 'read'), 0x8007_0000);
  }
});

test('a pointer below the last level is a page fault', (t) => {
  const tables = new PageTables();
  const leaf = tables.map(0x4000_0000n, 0x8007_0000n);
  tables.set(leaf, (0x8010_0000n >> 2n) | 1n);
  t.is(translate(supervisor(tables), 0x4000_0000n, 'write'), -15);
});

test('a page table outside of RAM, or one that PMP forbids, is an access fault', (t) => {
  for (const target of [0x1000_0000n, 0x7fff_f000n, 0x8020_0000n, 0xf_ffff_ffff_f000n]) {
    const tables = new PageTables();
    tables.set(tables.entryAt(0x4000_0000n, 1), (target >> 2n) | 1n);
    const parts = supervisor(tables);
    for (const access of ACCESSES) {
      t.is(translate(parts, 0x4000_0000n, access), -ACCESS_FAULTS[access], `${target}`);
    }
  }
  const tables = new PageTables();
  tables.map(0x4000_0000n, 0x8007_0000n);
  const parts = supervisor(tables);
  parts.pmp.writeAddress(0, 0x8010_0000n >> 2n);
  parts.pmp.writeConfig(0, 0x0fn);
  t.is(translate(parts, 0x4000_0000n, 'read'), -5);
});

test('without paging addresses are physical, and none is above 2^56', (t) => {
  const parts = hartParts();
  for (const privilege of [0n, 1n, 3n]) {
    parts.put('privilege', privilege);
    t.is(translate(parts, 0x8012_3456n, 'read'), 0x8012_3456);
    for (const access of ACCESSES) {
      t.is(translate(parts, 1n << 56n, access), -ACCESS_FAULTS[access]);
      t.is(translate(parts, (1n << 64n) - 8n, access), -ACCESS_FAULTS[access]);
    }
  }
});

test('a table above 2 GiB of host memory is watched like any other', (t) => {
  const parts = hartParts(0x9000_0000);
  const tables = new PageTables('sv39', 0x8000_0000 + 0x8f00_0000);
  tables.map(0x4000_0000n, 0x8007_0000n);
  const at = tables.entryAt(0x4000_0000n, 0);
  supervisor(tables, parts);
  t.is(translate(parts, 0x4000_0000n, 'read'), 0x8007_0000);
  const host = parts.memory.hostOf(at);
  t.true((parts.memory.flags(parts.memory.pageOfHost(host)) & PAGE_HAS_TABLES) !== 0);
  t.true(parts.mmu.beforeTableStore(host, 8));
  t.false(parts.mmu.beforeTableStore(host + 8, 8));
});

const CODE = 0x8000_0000;
const DATA = 0x4000_0000n;
const guests = { interpreter: new Guest(INTERPRETER), compiler: new Guest(COMPILER) };

/** S mode at the start of `source`; pages of RAM are mapped one to one, DATA to 0x80070000. */
function enter(guest: Guest, source: string, words: Words = {}, code = CODE): Guest {
  const tables = new PageTables();
  tables.mapSame(0x8000_0000, 512);
  tables.map(DATA, 0x8007_0000n);
  const entry = tables.entryAt(DATA, 0);
  const above = tables.entryAt(DATA, 1);
  const program = assemble(
    source
      .replaceAll('ENTRY', `0x${entry.toString(16)}`)
      .replaceAll('ABOVE', `0x${above.toString(16)}`),
    code,
  );
  const values = assemble('.dword 0x1111', 0x8007_0000);
  const others = assemble('.dword 0x2222', 0x8007_1000);
  return guest.load(
    [
      [code, program.bytes],
      ...[values, others].map(({ base, bytes }) => [base, bytes] as const),
      ...tables.memory(),
    ],
    { ...OPEN_PMP, ...tables.words(), pc: BigInt(code), privilege: 1n, a0: DATA, ...words },
  );
}

/** The entry for the second data page: 0x80071000 with the flags of an S page. */
const OTHER = (0x8007_1000n >> 2n) | BigInt(SUPERVISOR_PAGE);
const WARM = `
  li s1,3
warm:
  ld a1,0(a0)
  sd a1,0(a0)
  addi s1,s1,-1
  bnez s1,warm
  li t0,ENTRY
  li t1,${OTHER}
`;
const CHANGES: readonly (readonly [string, string])[] = [
  ['sd', 'sd t1,0(t0)'],
  ['single bytes', 'srli t2,t1,8\n sb t2,1(t0)\n srli t2,t1,16\n sb t2,2(t0)'],
  [
    'a misaligned store',
    'ld t3,-1(t0)\n andi t3,t3,0xff\n slli t2,t1,8\n or t2,t2,t3\n sd t2,-1(t0)',
  ],
  ['amoswap', 'amoswap.d zero,t1,(t0)'],
  ['sc', 'lr.d t2,(t0)\n sc.d t2,t1,(t0)'],
];

for (const [engine, guest] of Object.entries(guests)) {
  for (const [name, change] of CHANGES) {
    test(`a valid entry changed by ${name} holds for the next access (${engine})`, (t) => {
      enter(guest, `${WARM}\n${change}\n ld a2,0(a0)\n li t2,0x3333\n sd t2,8(a0)\n done: j done`);
      guest.run(60);
      t.is(guest.get('a1'), 0x1111n);
      t.is(guest.get('a2'), 0x2222n);
      t.is(guest.read(0x8007_1008, 8), 0x3333n);
      t.is(guest.read(0x8007_0008, 8), 0n);
      t.is(guest.get('traps'), 0n);
    });
  }

  test(`an entry taken away faults at the next access, whatever its level (${engine})`, (t) => {
    for (const at of ['ENTRY', 'ABOVE']) {
      for (const change of [`li t0,${at}\n sd zero,0(t0)`, `li t0,${at}\n cbo.zero (t0)`]) {
        for (const [access, cause] of [
          ['ld a2,0(a0)', 13n],
          ['sd a2,0(a0)', 15n],
          ['amoadd.d a2,a2,(a0)', 15n],
          ['lr.d a2,(a0)', 13n],
        ] as const) {
          enter(guest, `${WARM}\n ${change}\n ${access}\n done: j done`, { menvcfg: 0x80n });
          guest.runTo(0n);
          t.is(guest.get('mcause'), cause, `${change} ${access}`);
          t.is(guest.get('mtval'), DATA);
        }
      }
    }
  });

  test(`write permission taken away faults the next store (${engine})`, (t) => {
    enter(guest, `${WARM}\n lb t1,0(t0)\n andi t1,t1,${~PTE.D}\n sb t1,0(t0)\n sd a1,0(a0)`);
    guest.runTo(0n);
    t.is(guest.get('mcause'), 15n);
  });

  test(`the page now being executed can be replaced by the next instruction (${engine})`, (t) => {
    const here = 0x4010_0000n;
    const tables = new PageTables();
    tables.mapSame(0x8010_0000, 16);
    const entry = tables.map(here, 0x8000_0000n);
    const first = assemble(
      'li s1,4\n again: nop\n addi s1,s1,-1\n bnez s1,again\n nop\n sd t1,0(t0)\n li a0,1\n done: j done',
    );
    const second = assemble('.zero 24\n li a0,2\n done: j done');
    guest.load([[0x8000_0000, first.bytes], [0x8000_1000, second.bytes], ...tables.memory()], {
      ...{ ...OPEN_PMP, ...tables.words(), pc: here, privilege: 1n, t0: BigInt(entry) },
      t1: (0x8000_1000n >> 2n) | BigInt(SUPERVISOR_PAGE),
    });
    guest.run(40);
    t.is(guest.get('a0'), 2n);
    t.is(guest.get('traps'), 0n);
  });

  test(`a table that maps itself can be changed through its own mapping (${engine})`, (t) => {
    const tables = new PageTables();
    tables.mapSame(0x8000_0000, 1);
    tables.map(DATA, 0x8007_0000n);
    const entry = tables.entryAt(DATA, 0);
    const window = DATA + 0x1000n;
    tables.map(window, BigInt(entry) & ~0xfffn);
    const program = assemble(`
      ld a1,0(a0)
      sd t1,0(t0)       # DATA now is the other page
      ld a2,0(a0)
      sd zero,8(t0)     # and the window itself is gone
      ld a3,0(t0)`);
    const others = assemble('.dword 0x2222', 0x8007_1000);
    guest.load([[CODE, program.bytes], [others.base, others.bytes], ...tables.memory()], {
      ...{ ...OPEN_PMP, ...tables.words(), privilege: 1n, a0: DATA, t1: OTHER },
      t0: window + (BigInt(entry) & 0xfffn),
    });
    guest.runTo(0n);
    t.is(guest.get('a2'), 0x2222n);
    t.is(guest.get('mcause'), 13n);
    t.is(guest.get('mepc'), BigInt(CODE + 16));
  });

  test(`SUM, MXR and satp take effect at the next access (${engine})`, (t) => {
    const tables = new PageTables();
    tables.mapSame(0x8000_0000, 1);
    tables.map(DATA, 0x8007_0000n, USER_PAGE);
    tables.map(DATA + 0x1000n, 0x8007_0000n, PTE.V | PTE.X | PTE.A);
    const status = { sum: 'csrw sstatus,t1', mxr: 'csrw sstatus,t2', none: 'csrw sstatus,zero' };
    const tryAll = (source: string): bigint => {
      const program = assemble(source);
      guest.load([[CODE, program.bytes], ...tables.memory()], {
        ...{ ...OPEN_PMP, ...tables.words(), privilege: 1n, a0: DATA, a2: DATA + 0x1000n },
        ...{ t1: SUM, t2: MXR },
      });
      guest.runTo(0n);
      return guest.get('mepc') - BigInt(CODE);
    };
    t.is(tryAll(`${status.sum}\n ld a1,0(a0)\n ${status.none}\n ld a1,0(a0)`), 12n);
    t.is(tryAll(`${status.mxr}\n ld a1,0(a2)\n ${status.none}\n ld a1,0(a2)`), 12n);
    t.is(tryAll(`${status.sum}\n ld a1,0(a0)\n csrw satp,zero\n ld a1,0(a0)`), 12n);
  });
}
