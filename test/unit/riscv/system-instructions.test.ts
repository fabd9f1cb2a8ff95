/**
 * Goal: privileged instructions are allowed where the specification allows them, and illegal
 * elsewhere.
 * Method: each at each privilege with each trapping bit of mstatus.
 */

import test from 'ava';
import { MSTATUS } from '../../../lib/riscv/privilege.js';
import { assemble } from '../../support/assembler.js';
import { COMPILER, Guest, INTERPRETER, THOROUGH } from '../../support/program.js';

const guest = new Guest(INTERPRETER);
const M_VECTOR = 0x8000_4000n;

/** Privileges (as a string of their letters) that may execute `source` with `mstatus`. */
function allowedTo(source: string, mstatus: bigint): string {
  return Array.from('USM')
    .filter((letter) => {
      const privilege = { U: 0n, S: 1n, M: 3n }[letter] ?? 0n;
      guest.program(assemble(source), { privilege, mstatus, mtvec: M_VECTOR }).run(1);
      const isIllegal = guest.get('mcause') === 2n;
      if (isIllegal && guest.get('mepc') !== 0x8000_0000n) throw new Error('wrong mepc');
      return !isIllegal;
    })
    .join('');
}

test('privileged instructions are legal at their privilege', (t) => {
  const table: readonly (readonly [string, bigint, string])[] = [
    ['mret', 0n, 'M'],
    ['sret', 0n, 'SM'],
    ['sret', MSTATUS.TSR, 'M'],
    ['wfi', 0n, 'SM'],
    ['wfi', MSTATUS.TW, 'M'],
    ['sfence.vma zero,zero', 0n, 'SM'],
    ['sfence.vma a0,a1', MSTATUS.TVM, 'M'],
    ['fence iorw,iorw', 0n, 'USM'],
    ['fence.i', 0n, 'USM'],
    ['fence.tso', 0n, 'USM'],
    ['ecall', 0n, 'USM'],
    ['ebreak', 0n, 'USM'],
    // uret, dret, hfence, and sfence.vma with rd
    ['.word 0x00200073', 0n, ''],
    ['.word 0x7b200073', 0n, ''],
    ['.word 0x22000073', 0n, ''],
    ['.word 0x120000f3', 0n, ''],
    // csrrw's neighbour without a meaning
    ['.word 0x30004073', 0n, ''],
  ];
  for (const [source, mstatus, letters] of table) {
    t.is(allowedTo(source, mstatus), letters, `${source} 0x${mstatus.toString(16)}`);
  }
});

for (const [engine, options] of [
  ['interpreter', INTERPRETER],
  ['compiler', COMPILER],
  ['thorough compiler', THOROUGH],
] as const) {
  const own = new Guest(options);
  const LOOP = `
    li s1,4
  again:
    %
    addi s1,s1,-1
    bnez s1,again
  done: j done`;

  test(`FP instructions need FS, and what writes makes it dirty (${engine})`, (t) => {
    for (const [source, dirties] of [
      ['fadd.s ft0,ft0,ft0', true],
      ['fmv.x.w a0,ft0', false],
      ['fmv.d.x ft0,a0', true],
      ['fsw ft0,0(a1)', false],
      ['flw ft0,0(a1)', true],
    ] as const) {
      const program = assemble(LOOP.replace('%', source));
      const a1 = 0x8004_0000n;
      own.program(program, { mstatus: 0n, a1 }).runTo(0n);
      t.is(own.get('mcause'), 2n, source);
      for (const fs of [1n, 2n, 3n]) {
        own.program(program, { mstatus: fs << 13n, a1 }).runTo(program.address('done'));
        t.is((own.get('mstatus') & MSTATUS.FS) >> 13n, dirties ? 3n : fs, source);
      }
    }
  });

  test(`a reserved dynamic rounding mode is illegal (${engine})`, (t) => {
    const program = assemble(LOOP.replace('%', 'fadd.s ft0,ft0,ft0'));
    for (let frm = 0n; frm < 8n; frm++) {
      own.program(program, { mstatus: MSTATUS.FS, fcsr: frm << 5n });
      if (frm > 4n) {
        own.runTo(0n);
        t.deepEqual([own.get('mcause'), own.get('mtval')], [2n, 0x0000_7053n], `frm ${frm}`);
      } else {
        own.runTo(program.address('done'));
        t.is(own.get('traps'), 0n);
      }
    }
  });

  test(`turning the FPU off holds from the next instruction (${engine})`, (t) => {
    const program = assemble(`
      li s1,4
    again:
      fadd.s ft0,ft0,ft0
      addi s1,s1,-1
      bnez s1,again
      csrc mstatus,a0
      j again`);
    own.program(program, { mstatus: MSTATUS.FS, a0: MSTATUS.FS }).runTo(0n);
    t.deepEqual([own.get('mcause'), own.get('mepc')], [2n, program.address('again')]);
  });
}
