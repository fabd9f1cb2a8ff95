/**
 * Goal: traps go where delegation and vectors say, save what the specification lists, in its order
 * of priority; returns restore it.
 * Method: the words of the hart before and after single steps.
 */

import test from 'ava';
import { INTERRUPT_PRIORITY, MSTATUS } from '../../../lib/riscv/privilege.js';
import { assemble } from '../../support/assembler.js';
import { Guest, INTERPRETER, type Words } from '../../support/program.js';

const guest = new Guest(INTERPRETER);
const BASE = 0x8000_0000n;
const M_VECTOR = 0x8000_4000n;
const S_VECTOR = 0x8000_8000n;
const INTERRUPT = 1n << 63n;
const [USER, SUPERVISOR, MACHINE] = [0n, 1n, 3n];

/** One step of `source` with both vectors set. */
function step(source: string, words: Words): Guest {
  guest.program(assemble(source), { mtvec: M_VECTOR, stvec: S_VECTOR, ...words });
  guest.run(1);
  return guest;
}

const state = (...names: string[]): bigint[] => names.map((name) => guest.get(name));

test('ecall has a cause for each privilege, and goes to S only where delegated', (t) => {
  for (const [privilege, cause] of [
    [USER, 8n],
    [SUPERVISOR, 9n],
    [MACHINE, 11n],
  ] as const) {
    step('ecall', { privilege });
    t.deepEqual(state('mcause', 'mepc', 'mtval', 'pc'), [cause, BASE, 0n, M_VECTOR]);
    t.is((guest.get('mstatus') & MSTATUS.MPP) >> 11n, privilege);
    step('ecall', { privilege, medeleg: 0xb3ffn });
    if (privilege === MACHINE) {
      t.is(guest.get('pc'), M_VECTOR);
    } else {
      t.deepEqual(state('scause', 'sepc', 'stval', 'pc'), [cause, BASE, 0n, S_VECTOR]);
      t.is((guest.get('mstatus') & MSTATUS.SPP) >> 8n, privilege);
    }
  }
});

test('a trap saves the interrupt enable of its mode and clears it', (t) => {
  step('ecall', { privilege: MACHINE, mstatus: MSTATUS.MIE | MSTATUS.SIE });
  t.is(guest.get('mstatus'), MSTATUS.MPIE | MSTATUS.MPP | MSTATUS.SIE);
  step('ecall', { privilege: MACHINE, mstatus: MSTATUS.MPIE });
  t.is(guest.get('mstatus'), MSTATUS.MPP);
  step('ecall', { privilege: SUPERVISOR, mstatus: MSTATUS.MIE | MSTATUS.SIE, medeleg: 1n << 9n });
  t.is(guest.get('mstatus'), MSTATUS.SPIE | MSTATUS.SPP | MSTATUS.MIE);
});

test('ebreak and its compressed form name their address', (t) => {
  for (const source of ['ebreak', '.half 0x9002']) {
    step(source, { privilege: USER });
    t.deepEqual(state('mcause', 'mtval', 'mepc'), [3n, BASE, BASE]);
  }
});

test('an illegal instruction names its bits, 16 or 32 of them', (t) => {
  for (const [source, bits] of [
    ['.word 0xffffffff', 0xffff_ffffn],
    ['.word 0', 0n],
    ['.half 0x8000\n .half 0xffff', 0x8000n],
    ['.word 0x0000001f', 0x1fn],
    ['mret', 0x3020_0073n],
    ['fadd.s ft0,ft1,ft2', 0x0020_f053n],
    ['.half 0x2108', 0x2108n],
  ] as const) {
    step(source, { privilege: SUPERVISOR });
    t.deepEqual(state('mcause', 'mtval', 'mepc'), [2n, bits, BASE], source);
  }
});

test('an illegal instruction across pages names all its bits', (t) => {
  const program = assemble('.zero 4094\n .word 0xfedcbafb');
  guest.program(program, { pc: BASE + 4094n, mtvec: M_VECTOR }).run(1);
  t.deepEqual(state('mcause', 'mtval', 'mepc'), [2n, 0xfedc_bafbn, BASE + 4094n]);
});

test('the order of interrupts is MEI, MSI, MTI, SEI, SSI, STI', (t) => {
  t.deepEqual([...INTERRUPT_PRIORITY], [11, 3, 7, 9, 1, 5]);
  let pending = 0xaaan;
  for (const code of INTERRUPT_PRIORITY) {
    step('nop', { ...lines(pending), mie: 0xaaan, mstatus: MSTATUS.MIE });
    t.is(guest.get('mcause'), INTERRUPT | BigInt(code));
    pending &= ~(1n << BigInt(code));
  }
});

/** Pending interrupts that timers do not take back. */
function lines(pending: bigint): Words {
  return {
    mipLines: pending & ~0xa0n,
    mipSoftware: pending & 0x20n,
    'clint.mtimecmp': (pending & 0x80n) === 0n ? (1n << 64n) - 1n : 0n,
  };
}

test('an interrupt of M comes before any of S, whatever its number', (t) => {
  step('nop', { ...lines(0x222n), mie: 0x222n, mideleg: 0x202n, privilege: SUPERVISOR });
  t.deepEqual(state('mcause', 'pc'), [INTERRUPT | 5n, M_VECTOR]);
});

test('interrupts are taken as privilege and enables allow', (t) => {
  const cases: readonly (readonly [bigint, bigint, bigint, bigint | null])[] = [
    // privilege, mstatus, mideleg, vector
    [MACHINE, 0n, 0n, null],
    [MACHINE, MSTATUS.MIE, 0n, M_VECTOR],
    [MACHINE, MSTATUS.MIE | MSTATUS.SIE, 0x222n, null],
    [SUPERVISOR, 0n, 0n, M_VECTOR],
    [SUPERVISOR, 0n, 0x222n, null],
    [SUPERVISOR, MSTATUS.SIE, 0x222n, S_VECTOR],
    [USER, 0n, 0n, M_VECTOR],
    [USER, 0n, 0x222n, S_VECTOR],
  ];
  for (const [privilege, mstatus, mideleg, vector] of cases) {
    step('nop', { privilege, mstatus, mideleg, mipSoftware: 2n, mie: 2n });
    t.is(guest.get('pc'), vector ?? BASE + 4n);
    t.is(guest.step, 1n);
    t.deepEqual(
      guest.machine.takeInterrupts(),
      vector === null ? [] : [{ hart: 0, step: 0n, cause: 1 }],
    );
    step('nop', { privilege, mstatus, mideleg, mipSoftware: 2n, mie: 0n });
    t.is(guest.get('pc'), BASE + 4n, 'not enabled in mie');
  }
});

test('vectored mode moves interrupts by four times their cause, and no exception', (t) => {
  const vectored = { mtvec: M_VECTOR | 1n, stvec: S_VECTOR | 1n };
  for (const code of [1n, 9n]) {
    step('nop', { ...vectored, ...lines(1n << code), mie: 0x222n, privilege: SUPERVISOR });
    t.is(guest.get('pc'), M_VECTOR + 4n * code);
    const words = { mie: 0x222n, mideleg: 0x222n, privilege: USER };
    step('nop', { ...vectored, ...lines(1n << code), ...words });
    t.is(guest.get('pc'), S_VECTOR + 4n * code);
  }
  step('ecall', { ...vectored, privilege: USER });
  t.is(guest.get('pc'), M_VECTOR);
});

test('an interrupt is taken before the instruction, which runs after the return', (t) => {
  const program = assemble('addi a0,a0,1\n j 0x80000000\n .org 0x4000\n csrw mie,zero\n mret');
  guest.program(program, { mipSoftware: 2n, mie: 2n, mstatus: MSTATUS.MIE, mtvec: M_VECTOR });
  guest.run(3);
  t.deepEqual(state('pc', 'a0', 'traps'), [BASE, 0n, 1n]);
  guest.run(1);
  t.is(guest.get('a0'), 1n);
});

test('mret goes to mepc with MPP, and clears MPRV unless it stays in M', (t) => {
  for (const mpp of [USER, SUPERVISOR, MACHINE]) {
    for (const mpie of [0n, MSTATUS.MPIE]) {
      step('mret', { mepc: 0x1234n, mstatus: (mpp << 11n) | mpie | MSTATUS.MPRV });
      const mie = mpie === 0n ? 0n : MSTATUS.MIE;
      const mprv = mpp === MACHINE ? MSTATUS.MPRV : 0n;
      t.deepEqual(state('pc', 'privilege', 'mstatus'), [0x1234n, mpp, MSTATUS.MPIE | mie | mprv]);
    }
  }
});

test('sret goes to sepc with SPP, and clears MPRV', (t) => {
  for (const privilege of [SUPERVISOR, MACHINE]) {
    for (const spp of [USER, SUPERVISOR]) {
      for (const spie of [0n, MSTATUS.SPIE]) {
        const mstatus = (spp << 8n) | spie | MSTATUS.MPRV;
        step('sret', { privilege, sepc: 0x1234n, mstatus });
        const sie = spie === 0n ? 0n : MSTATUS.SIE;
        t.deepEqual(state('pc', 'privilege', 'mstatus'), [0x1234n, spp, MSTATUS.SPIE | sie]);
      }
    }
  }
});

test('an interrupt that a return or a write enables is taken at once', (t) => {
  for (const [source, words] of [
    ['mret', { mstatus: MSTATUS.MPIE | MSTATUS.MPP, mepc: BASE + 4n }],
    ['csrsi mstatus,8', {}],
    ['csrw mie,a0', { mstatus: MSTATUS.MIE, mie: 0n }],
    ['csrw mip,a0', { mstatus: MSTATUS.MIE, mipSoftware: 0n }],
  ] as const) {
    const text = source.replace('csrsi mstatus,8', 'csrrsi zero,mstatus,8');
    const program = assemble(`${text}\n nop`);
    guest.program(program, { mtvec: M_VECTOR, mie: 2n, mipSoftware: 2n, a0: 2n, ...words });
    guest.run(2);
    t.deepEqual(state('mcause', 'mepc', 'pc'), [INTERRUPT | 1n, BASE + 4n, M_VECTOR], source);
  }
});
