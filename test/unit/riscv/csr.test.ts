/**
 * Goal: control and status registers hold legal values whatever is written (WARL), and no access
 * can disturb the host.
 * Method: registers written by programs and read back; all 4,096 numbers at each privilege.
 */

import test from 'ava';
import { csrName, csrNumber } from '../../../lib/riscv/csr-names.js';
import { assemble } from '../../support/assembler.js';
import { Guest, INTERPRETER, type Words } from '../../support/program.js';
import { Random } from '../../support/random.js';

const guest = new Guest(INTERPRETER);
const ONES = (1n << 64n) - 1n;
const [USER, SUPERVISOR, MACHINE] = [0n, 1n, 3n];
const ILLEGAL = 2n;

/** Runs single instructions; the value of a1 behind them, or null if one was illegal. */
function run(source: string, words: Words = {}): bigint | null {
  const program = assemble(source);
  guest.program(program, { a1: 0n, ...words });
  for (let count = program.bytes.length / 4; count > 0 && guest.get('traps') === 0n; count--) {
    guest.run(1);
  }
  if (guest.get('traps') === 0n) return guest.get('a1');
  return guest.get('mcause') === ILLEGAL ? null : -1n;
}

/** What a register reads as after a write of `value` in M mode. */
const written = (csr: string, value: bigint, words: Words = {}): bigint | null =>
  run(`csrw ${csr},a0\n csrr a1,${csr}`, { a0: value, ...words });

const WARL: readonly (readonly [csr: string, value: bigint, read: bigint])[] = [
  ['mstatus', 0n, 0xa_0000_0000n],
  ['mstatus', ONES, 0x8000_000a_007e_79aan],
  ['mstatus', 2n << 11n, 0xa_0000_0000n],
  ['sstatus', ONES, 0x8000_0002_000c_6122n],
  ['misa', 0n, 0x8000_0000_0014_112dn],
  ['mtvec', ONES, ONES & ~2n],
  ['stvec', 0x1003n, 0x1001n],
  ['mepc', ONES, ONES & ~1n],
  ['sepc', 0x1001n, 0x1000n],
  ['medeleg', ONES, 0xb3ffn],
  ['mideleg', ONES, 0x222n],
  ['mie', ONES, 0xaaan],
  ['mip', ONES, 0x222n],
  ['mcounteren', ONES, 7n],
  ['scounteren', ONES, 7n],
  ['mcountinhibit', ONES, 0n],
  ['menvcfg', ONES, 0x8000_0000_0000_0081n],
  ['senvcfg', ONES, 0x81n],
  ['satp', (8n << 60n) | ((1n << 60n) - 1n), (8n << 60n) | ((1n << 44n) - 1n)],
  ['satp', 10n << 60n, 0n],
  ['satp', 0x5555n, 0x5555n],
  ['mscratch', 0x1234_5678_9abc_def0n, 0x1234_5678_9abc_def0n],
  ['mhpmcounter3', ONES, 0n],
  ['mhpmevent31', ONES, 0n],
  ['0x3ff', 0n, -2n],
  ['pmpcfg0', 0n, 0n],
  ['0x3ae', ONES, 0n],
  ['0x3ef', ONES, 0n],
];

test('registers take legal values only', (t) => {
  for (const [csr, value, read] of WARL) {
    t.is(written(csr, value), read === -2n ? null : read, `${csr} 0x${value.toString(16)}`);
  }
});

test('mstatus.MPP keeps its value where 2 is written', (t) => {
  for (const mpp of [0n, 1n, 3n]) {
    const read = written('mstatus', 2n << 11n, { mstatus: mpp << 11n });
    t.is(((read ?? 0n) >> 11n) & 3n, mpp);
  }
});

test('satp keeps its value where an unsupported mode is written', (t) => {
  for (const mode of [1n, 7n, 10n, 15n]) {
    t.is(written('satp', (mode << 60n) | 5n, { satp: (9n << 60n) | 7n }), (9n << 60n) | 7n);
  }
});

test('S mode sees and changes only its part of mstatus, mie and mip', (t) => {
  const status = 0x7e_79aan | (3n << 11n);
  run('csrw sstatus,zero', { privilege: SUPERVISOR, mstatus: status });
  t.is(guest.get('mstatus') & 0x7e_79aan, status & ~0xc_6122n);
  const words = { privilege: SUPERVISOR, mideleg: 0x22n };
  t.is(run('csrr a1,sie', { ...words, mie: 0xaa0n }), 0x20n);
  t.is(run('csrr a1,sip', { ...words, mipSoftware: 0x220n }), 0x20n);
  run('csrw sie,a0', { ...words, mie: 0xaa0n, a0: 0x2n });
  t.is(guest.get('mie'), 0xa82n);
  run('csrw sip,a0', { ...words, mipSoftware: 0x220n, a0: 0x222n });
  t.is(guest.get('mipSoftware'), 0x222n, 'only SSIP is writable');
});

test('a line that is high does not become a software bit by csrrs of mip', (t) => {
  run('csrs mip,a0', { a0: 2n, mipLines: 0x200n });
  t.is(guest.get('mipSoftware'), 2n);
  t.is(run('csrr a1,mip', { mipLines: 0x200n, mipSoftware: 2n }), 0x202n);
});

test('with Sstc the supervisor timer owns STIP', (t) => {
  t.is(written('mip', 0x20n, { menvcfg: 1n << 63n }), 0n);
  const words = { menvcfg: 1n << 63n, timeBase: 5n, privilege: MACHINE };
  t.is(run('csrw stimecmp,a0\n csrr a1,mip', { ...words, a0: 5n }), 0x20n);
  t.is(run('csrw stimecmp,a0\n csrr a1,mip', { ...words, a0: 6n, timeRate: 0n }), 0n);
});

test('stimecmp needs menvcfg.STCE and mcounteren.TM below M', (t) => {
  const stce = 1n << 63n;
  const words = { stimecmp: 77n, timeRate: 0n };
  t.is(run('csrr a1,stimecmp', words), 77n);
  t.is(run('csrr a1,stimecmp', { ...words, privilege: SUPERVISOR, mcounteren: 2n }), null);
  t.is(run('csrr a1,stimecmp', { ...words, privilege: SUPERVISOR, menvcfg: stce }), null);
  t.is(
    run('csrr a1,stimecmp', { ...words, privilege: SUPERVISOR, menvcfg: stce, mcounteren: 2n }),
    77n,
  );
});

test('counters are read as mcounteren and scounteren allow', (t) => {
  for (const [index, csr] of ['cycle', 'time', 'instret'].entries()) {
    const bit = 1n << BigInt(index);
    for (const mcounteren of [0n, bit, 7n & ~bit]) {
      for (const scounteren of [0n, bit, 7n & ~bit]) {
        const read = (privilege: bigint): boolean =>
          run(`csrr a1,${csr}`, { privilege, mcounteren, scounteren }) !== null;
        t.is(read(MACHINE), true);
        t.is(read(SUPERVISOR), mcounteren === bit);
        t.is(read(USER), mcounteren === bit && scounteren === bit);
      }
    }
  }
  t.is(run('csrr a1,hpmcounter3', { privilege: SUPERVISOR, mcounteren: 7n }), null);
});

test('minstret and mcycle count from what was written', (t) => {
  for (const csr of ['minstret', 'mcycle']) {
    t.is(run(`csrw ${csr},a0\n csrr a1,${csr}`, { a0: 1000n }), 1000n);
    t.is(run(`csrw ${csr},a0\n nop\n nop\n csrr a1,${csr}`, { a0: ONES }), 1n, 'wraps');
  }
  t.is(run('nop\n nop\n csrr a1,instret'), 2n);
});

test('csrrs and csrrc with x0 or 0 do not write, csrrw always does', (t) => {
  for (const source of ['csrrs a1,cycle,zero', 'csrrc a1,cycle,zero', 'csrrsi a1,cycle,0']) {
    t.not(run(source), null, source);
  }
  for (const source of ['csrrw zero,cycle,zero', 'csrrwi zero,cycle,0', 'csrrs a1,cycle,a0']) {
    t.is(run(source, { a0: 0n }), null, source);
  }
  t.is(run('csrrsi a1,mhartid,1'), null);
});

test('an illegal access keeps rd and names the instruction', (t) => {
  run('csrrw a1,cycle,a0', { a1: 5n });
  t.is(guest.get('a1'), 5n);
  t.is(guest.get('mtval'), 0xc00515f3n);
});

test('swap, set and clear give the old value and change what they say', (t) => {
  const words = { mscratch: 0b1100n, a0: 0b1010n };
  for (const [source, after] of [
    ['csrrw a1,mscratch,a0', 0b1010n],
    ['csrrs a1,mscratch,a0', 0b1110n],
    ['csrrc a1,mscratch,a0', 0b0100n],
    ['csrrwi a1,mscratch,21', 21n],
    ['csrrsi a1,mscratch,1', 0b1101n],
    ['csrrci a1,mscratch,4', 0b1000n],
  ] as const) {
    t.is(run(source, words), 0b1100n);
    t.is(guest.get('mscratch'), after, source);
  }
  run('csrrw a0,mscratch,a0', words);
  t.deepEqual([guest.get('a0'), guest.get('mscratch')], [0b1100n, 0b1010n]);
});

test('FP registers need FS, and a write makes it dirty', (t) => {
  for (const csr of ['fflags', 'frm', 'fcsr']) {
    t.is(written(csr, ONES), null);
    const read = { fflags: 31n, frm: 7n, fcsr: 255n }[csr] ?? 0n;
    t.is(written(csr, ONES, { mstatus: 0x2000n }), read);
    t.is(guest.get('mstatus') & 0x6000n, 0x6000n);
  }
});

test('TVM makes satp and sfence.vma illegal in S mode', (t) => {
  const words = { privilege: SUPERVISOR, mstatus: 1n << 20n };
  t.is(run('csrr a1,satp', words), null);
  t.is(run('csrw satp,zero', words), null);
  t.is(run('sfence.vma zero,zero', words), null);
  t.not(run('csrr a1,satp', { ...words, privilege: MACHINE }), null);
});

/** Which of `csrs` are legal in `instruction`, executed one behind the other. */
function legalOnes(
  csrs: readonly number[],
  instruction: (csr: string) => string,
  privilege: bigint,
): number[] {
  const lines = csrs.map((csr) => instruction(`0x${csr.toString(16)}`));
  const program = assemble(`
    ${lines.join('\n')}
    .align 4
  skip:
    csrr t0,mepc
    addi t0,t0,4
    csrw mepc,t0
    mret`);
  guest.program(program, { privilege, mstatus: 0x6000n, mtvec: program.address('skip') });
  return csrs.filter(() => {
    const traps = guest.get('traps');
    guest.run(1);
    if (guest.get('traps') === traps) return true;
    if (guest.get('mcause') !== ILLEGAL) throw new Error(`cause ${guest.get('mcause')}`);
    guest.run(4);
    return false;
  });
}

const ALL_CSRS = Array.from({ length: 4096 }, (_, csr) => csr);

test('privilege and the read-only bits of the number are checked for every register', (t) => {
  for (const privilege of [USER, SUPERVISOR, MACHINE]) {
    const readable = legalOnes(ALL_CSRS, (csr) => `csrrs a1,${csr},zero`, privilege);
    t.deepEqual(
      readable.filter((csr) => BigInt((csr >> 8) & 3) > privilege),
      [],
    );
    const others = ALL_CSRS.filter((csr) => !readable.includes(csr) || csr >> 10 === 3);
    t.deepEqual(
      legalOnes(others, (csr) => `csrrw a1,${csr},a0`, privilege),
      [],
    );
    t.true(readable.length > (privilege === MACHINE ? 150 : 2));
  }
});

test('any value written to any register at any privilege leaves the machine running', (t) => {
  const random = new Random(42);
  for (const privilege of [USER, SUPERVISOR, MACHINE]) {
    for (const csr of legalOnes(ALL_CSRS, (name) => `csrrs a1,${name},zero`, privilege)) {
      const program = assemble(
        `csrrw a1,0x${csr.toString(16)},a0\n csrrs a0,0x${csr.toString(16)},a2`,
      );
      const a2 = random.u64();
      guest.program(program, { privilege, mstatus: 0x6000n, a0: random.u64(), a2 }).run(20);
      if (guest.step !== 20n) t.fail(`${csrName(csr)} stopped`);
    }
  }
  t.pass();
});

test('every named register can be read in M mode, and no name is given twice', (t) => {
  const names = new Set<string>();
  const named: number[] = [];
  for (let csr = 0; csr < 4096; csr++) {
    const name = csrName(csr);
    names.add(name);
    if (name.startsWith('0x')) continue;
    t.is(csrNumber(name), csr);
    named.push(csr);
  }
  t.is(names.size, 4096);
  t.deepEqual(
    legalOnes(named, (csr) => `csrrs a1,${csr},zero`, MACHINE),
    named,
  );
});
