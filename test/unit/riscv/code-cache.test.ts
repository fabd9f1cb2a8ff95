/**
 * Goal: instruction fetch always sees memory as it is: after stores of any kind, at page borders,
 * under the executing instruction's feet; and a fetch that fails says where.
 * Method: programs that rewrite themselves, in both engines, warm so that code is decoded or
 * compiled before it changes.
 */

import test from 'ava';
import { assemble } from '../../support/assembler.js';
import { COMPILER, Guest, INTERPRETER, OPEN_PMP, THOROUGH } from '../../support/program.js';
import { PageTables, PTE, SUPERVISOR_PAGE } from '../../support/program-paging.js';

const CODE = 0x8000_0000;
/** addi a0,a0,2 */
const ADD_TWO = 0x0025_0513;

const engines = [
  ['interpreter', new Guest(INTERPRETER)],
  ['compiler', new Guest(COMPILER)],
  ['thorough compiler', new Guest(THOROUGH)],
] as const;

/** How the instruction at `patch` (in t0) becomes the one in t1. */
const STORES: readonly (readonly [string, string])[] = [
  ['sw', 'sw t1,0(t0)'],
  ['sb', 'srli t2,t1,16\n sb t2,2(t0)'],
  ['sh', 'srli t2,t1,16\n sh t2,2(t0)'],
  ['sd', 'ld t2,0(t0)\n srli t2,t2,32\n slli t2,t2,32\n or t1,t1,t2\n sd t1,0(t0)'],
  ['a misaligned sw', 'lbu t2,-1(t0)\n slli t3,t1,8\n or t2,t2,t3\n sw t2,-1(t0)'],
  ['amoswap', 'amoswap.w zero,t1,(t0)'],
  ['sc', 'lr.w t2,(t0)\n sc.w t2,t1,(t0)'],
  ['fsw', 'fmv.w.x ft0,t1\n fsw ft0,0(t0)'],
];

for (const [engine, guest] of engines) {
  test(`a page that was stored to until it counts as data is code again (${engine})`, (t) => {
    const program = assemble(`
      li t1,${ADD_TWO}
      la t0,patch
      la t3,scratch
      li s1,3
    round:
      li s2,100
    store:                    # far more stores than a page of code is granted
      sw s2,0(t3)
      addi s2,s2,-1
      bnez s2,store
      lw t2,0(t0)
    patch:
      addi a0,a0,1            # the first form once, then the other, then the first again
      .word 0x00000013
      sw t1,0(t0)
      mv t1,t2
      addi s1,s1,-1
      bnez s1,round
    done: j done
      .align 16
    scratch: .word 0`);
    guest.program(program, {}).runTo(program.address('done'));
    t.is(guest.get('a0'), 1n + 2n + 1n);
  });

  for (const [name, store] of STORES) {
    test(`${name} to the next instruction takes effect (${engine})`, (t) => {
      // The loop runs thrice with the first form; the fourth time the store is not skipped.
      const program = assemble(`
        li t1,${ADD_TWO}
        la t0,patch
        li s1,3
      loop:
        bnez s1,skip
        ${store}
        j patch
        .align 16
        nop
        nop
      skip:
      patch:
        addi a0,a0,1
        .word 0x00000013
        addi s1,s1,-1
        bge s1,zero,loop
      done: j done`);
      guest.program(program, { mstatus: 0x6000n }).runTo(program.address('done'));
      t.is(guest.get('a0'), 5n);
    });
  }

  test(`a store right before the instruction that it changes (${engine})`, (t) => {
    const program = assemble(`
      li t1,${ADD_TWO}
      la t0,patch
      li s1,6
    loop:
      sw t1,0(t0)
    patch:
      addi a0,a0,1
      xori t1,t1,0          # and back again: 1, 2, 1, 2
      li t2,0x300000
      xor t1,t1,t2
      addi s1,s1,-1
      bnez s1,loop
    done: j done`);
    guest.program(program).runTo(program.address('done'));
    t.is(guest.get('a0'), 9n);
  });

  test(`an instruction across pages changes in either half (${engine})`, (t) => {
    const program = assemble(`
      la t0,patch
      li s1,8
      j loop
      .org 0xff0
    loop:
      sh t1,2(t0)           # imm[11:0] and the upper bits of rs1
      addi t1,t1,0x10
      .half 0x0001
      j patch
    patch:
      addi a0,a0,1
      addi s1,s1,-1
      bnez s1,loop
    done: j done`);
    t.is(program.address('patch'), 0x8000_0ffen);
    guest.program(program, { t1: 0x25n }).runTo(program.address('done'));
    // 2, 3, 4, ... 9
    t.is(guest.get('a0'), 44n);
    const lower = assemble(`
      la t0,patch
      li s1,4
      li t1,0x0513
      j loop
      .org 0xff0
    loop:
      sh t1,0(t0)
      xori t1,t1,0x80       # addi a0 becomes addi a1 and back
      .half 0x0001
      j patch
    patch:
      addi a0,a0,1
      addi s1,s1,-1
      bnez s1,loop
    done: j done`);
    guest.program(lower).runTo(lower.address('done'));
    t.deepEqual([guest.get('a0'), guest.get('a1')], [2n, 3n]);
  });

  test(`code is rewritten through another mapping of its page (${engine})`, (t) => {
    const tables = new PageTables();
    const here = 0x4000_0000n;
    tables.map(here, BigInt(CODE));
    tables.map(here + 0x5000n, BigInt(CODE), SUPERVISOR_PAGE & ~PTE.X);
    const program = assemble(`
      li s1,3
    loop:
      j patch
    patch:
      addi a0,a0,1
      addi s1,s1,-1
      bnez s1,loop
      sw t1,0(t0)
      li s1,1
      bnez a1,done
      li a1,1
      j loop
    done: j done`);
    const patch = program.address('patch') - BigInt(CODE) + here + 0x5000n;
    guest.load([[CODE, program.bytes], ...tables.memory()], {
      ...{ ...OPEN_PMP, ...tables.words(), privilege: 1n, pc: here, a1: 0n },
      ...{ t0: patch, t1: BigInt(ADD_TWO) },
    });
    guest.runTo(program.address('done') - BigInt(CODE) + here);
    t.is(guest.get('a0'), 5n);
  });

  test(`cbo.zero makes code illegal (${engine})`, (t) => {
    const program = assemble(`
      li s1,3
      la t0,block
      j loop
      .align 64
    block:
      addi a0,a0,1
      jr ra
      .align 64
    loop:
      jal ra,block
      addi s1,s1,-1
      bnez s1,loop
      cbo.zero (t0)
      jal ra,block`);
    guest.program(program).runTo(0n);
    t.deepEqual([guest.get('mcause'), guest.get('mtval')], [2n, 0n]);
    t.is(guest.get('mepc'), program.address('block'));
  });

  test(`a fetch that fails on the second half names the second page (${engine})`, (t) => {
    const tables = new PageTables();
    const here = 0x4000_0000n;
    tables.map(here, BigInt(CODE));
    const program = assemble('.org 0xffe\n addi a0,a0,1');
    const words = {
      ...{ ...OPEN_PMP, ...tables.words(), privilege: 1n, pc: here + 0xffen },
    };
    guest.load([[CODE, program.bytes], ...tables.memory()], words).run(1);
    t.deepEqual([guest.get('mcause'), guest.get('mtval')], [12n, here + 0x1000n]);
    t.is(guest.get('mepc'), here + 0xffen);
    tables.map(here + 0x1000n, 0x2000_0000n);
    guest.load([[CODE, program.bytes], ...tables.memory()], words).run(1);
    t.deepEqual([guest.get('mcause'), guest.get('mtval')], [1n, here + 0x1000n]);
    t.is(guest.get('mepc'), here + 0xffen);
  });

  test(`a jump far out of the address space arrives there, and not in this page (${engine})`, (t) => {
    for (const bit of [40n, 61n, 62n, 63n]) {
      const target = BigInt(CODE + 16) | (1n << bit);
      const program = assemble('li s1,3\n nop\n loop: addi s1,s1,-1\n bnez s1,loop\n jr a0');
      guest.program(program, { a0: target, privilege: 3n });
      guest.runTo(0n);
      t.deepEqual([guest.get('mcause'), guest.get('mepc')], [1n, target], `bit ${bit}`);
      t.is(guest.get('mtval'), target);
    }
  });

  test(`pc runs off the end of RAM into an access fault (${engine})`, (t) => {
    guest.program(assemble('addi a0,a0,1\n addi a0,a0,1', 0x801f_fff8)).runTo(0n);
    t.is(guest.get('a0'), 2n);
    t.deepEqual([guest.get('mcause'), guest.get('mepc')], [1n, 0x8020_0000n]);
  });
}

test('more pages of code than the cache holds run on', (t) => {
  // Each page adds one and jumps to the next but some, round and round over all of RAM.
  const guest = new Guest(INTERPRETER);
  const page = assemble(
    'addi a0,a0,1\n li t1,0x1ff000\n add t0,t0,t2\n and t0,t0,t1\n add t3,t0,t4\n jr t3',
  );
  const memory = Array.from(
    { length: 512 },
    (_, index) => [CODE + index * 4096, page.bytes] as const,
  );
  guest.load(memory, { t2: 0x3000n, t4: BigInt(CODE) });
  guest.run((page.bytes.length / 4) * 2000);
  t.is(guest.get('a0'), 2000n);
});
