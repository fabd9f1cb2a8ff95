/**
 * A guest program that does, again and again, everything that makes exact execution hard: M and S
 * timers, WFI, page faults repaired by a handler that does not fence, calls into U mode, code that
 * rewrites itself, instructions and data across page borders, atomics, FP, counters, output.
 *
 * It never ends. Whoever drives it decides where it stops; `advance` treats the returns of the
 * machine as a host would.
 */

import { OPEN_PMP, type Guest } from './program.js';
import { assemble } from './assembler.js';
import { PageTables, PTE, USER_PAGE } from './program-paging.js';

const LAZY = 0x4000_0000n;
const USER = 0x5000_0000n;

const MACHINE_MODE = `
  la t0,machine_trap
  csrw mtvec,t0
  li t0,0xb10c              # delegate illegal, breakpoint, ecall from U, page faults
  csrw medeleg,t0
  li t0,0x222
  csrw mideleg,t0
  li t0,0x8000000000000080  # Sstc, cbo.zero
  csrw menvcfg,t0
  li t0,0x80
  csrw senvcfg,t0
  li t0,7
  csrw mcounteren,t0
  csrw scounteren,t0
  li t0,0x2004000
  li t1,31
  sd t1,0(t0)
  li t0,0xa2
  csrw mie,t0
  li t0,0x46802             # FS dirty, SUM, MPP = S, SIE
  csrw mstatus,t0
  la t0,supervisor
  csrw mepc,t0
  mret
  .align 4
machine_trap:
  csrr s10,mcause
  blt s10,zero,machine_timer
  csrr s11,mepc
  addi s11,s11,4
  csrw mepc,s11
  mret
machine_timer:
  li s10,0x200bff8
  ld s11,0(s10)
  addi s11,s11,37
  li s10,0x2004000
  sd s11,0(s10)
  mret
`;

const TRAPS = `
  .align 4
supervisor_trap:
  csrr a6,scause
  blt a6,zero,supervisor_timer
  li a7,8
  beq a6,a7,user_call
  li a7,3
  bge a7,a6,skip
  li a6,LAZY_ENTRY
  ld a7,0(a6)
  ori a7,a7,1
  sd a7,0(a6)
  sret
supervisor_timer:
  li a6,-1
  csrw stimecmp,a6
  sret
skip:
  csrr a6,sepc
  addi a6,a6,4
  csrw sepc,a6
  sret
user_call:
  li a6,0x100
  csrs sstatus,a6
  la a6,after_user
  csrw sepc,a6
  sret
`;

const SUPERVISOR_MODE = `
supervisor:
  la t0,supervisor_trap
  csrw stvec,t0
  li s0,0x80040000
  li s2,1
  li t0,0x1234567
  fcvt.d.l fs0,t0
loop:
  addi s1,s1,1
  mul s2,s2,s1
  addi s2,s2,7
  li t0,0x80040ffd          # across a page border
  sd s2,0(t0)
  lw t1,2(t0)
  xor s2,s2,t1
  li t0,${LAZY}             # not mapped: the handler repairs it
  ld t1,0(t0)
  add s2,s2,t1
  sd s2,0(t0)
  li t0,LAZY_ENTRY          # unmap it again
  ld t1,0(t0)
  andi t1,t1,-2
  sd t1,0(t0)
  la t0,patch               # the next instruction but one changes
  lw t1,0(t0)
  li t2,0x100000
  add t1,t1,t2
  sw t1,0(t0)
patch:
  addi s3,s3,0
  add s2,s2,s3
  call before_crossing
  la t0,crossing
  lhu t1,2(t0)
  xori t1,t1,0x10           # and so does the second half of the crossing one
  sh t1,2(t0)
again:
  lr.d t1,(s0)
  add t1,t1,s2
  sc.d t2,t1,(s0)
  bnez t2,again
  amoxor.w t1,s2,(s0)
  fcvt.d.l fa0,s2
  fdiv.d fs0,fs0,fa0
  fmadd.d fs0,fa0,fs0,fs0,rtz
  fsd fs0,64(s0)
  csrr t1,instret
  sd t1,72(s0)
  csrr t1,time
  sd t1,80(s0)
  addi t0,s0,64
  andi t1,s1,7
  bnez t1,keep
  cbo.zero (t0)
keep:
  li t0,0x10000000
  andi t1,s2,0x3f
  addi t1,t1,0x30
  sb t1,0(t0)
  ecall
  ebreak
  .word 0xffffffff
  li t0,0x100               # into U mode
  csrc sstatus,t0
  li t0,${USER}
  csrw sepc,t0
  sret
after_user:
  andi t0,s1,3
  bnez t0,loop
  csrr t0,time
  addi t0,t0,9
  csrw stimecmp,t0
  wfi
  j loop
`;

const CROSSING = `
  .org 0x2ffa
before_crossing:
  addi s4,s4,1
crossing:
  addi s2,s2,0x101
  ret
`;

const USER_MODE = `
  addi s5,s5,3
  sd s5,256(zero)
  csrr t0,cycle
  add s2,s2,t0
  ecall
`;

/** Puts the program at its first instruction. */
export function loadMixed(guest: Guest): Guest {
  const tables = new PageTables();
  tables.mapSame(0x8000_0000, 256);
  tables.mapSame(0x8010_0000, 16);
  tables.mapSame(0x1000_0000, 1);
  tables.map(USER, 0x8005_0000n, USER_PAGE);
  tables.map(0n, 0x8006_0000n, USER_PAGE);
  const entry = tables.map(LAZY, 0x8007_0000n);
  tables.set(entry, (0x8007_0000n >> 2n) | BigInt(PTE.R | PTE.W | PTE.A | PTE.D));
  const source = [MACHINE_MODE, TRAPS, SUPERVISOR_MODE, CROSSING].join('\n');
  const code = assemble(source.replaceAll('LAZY_ENTRY', `0x${entry.toString(16)}`));
  const user = assemble(USER_MODE, Number(USER));
  return guest.load([[code.base, code.bytes], [0x8005_0000, user.bytes], ...tables.memory()], {
    pc: BigInt(code.base),
    ...OPEN_PMP,
    ...tables.words(),
  });
}

/** Runs to `step` as a host would, taking output and waking the hart at its deadline. */
export function advance(guest: Guest, step: bigint): void {
  const { machine } = guest;
  for (;;) {
    const result = machine.runUntil({ hart: 0, step });
    machine.takeOutput();
    machine.takeInterrupts();
    if (result.reason === 'reached') return;
    if (result.reason === 'stopped') throw new Error('the program does not stop');
    if (result.reason === 'output' || result.reason === 'paused') continue;
    if (result.deadline === null) throw new Error('the program always has a timer');
    const now = machine.time(0);
    const time = result.deadline > now ? result.deadline : now;
    machine.apply({ kind: 'wake', hart: 0, step: machine.step(0), time });
  }
}
