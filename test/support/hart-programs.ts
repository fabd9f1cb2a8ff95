/**
 * Bare-metal programs for several harts, whose work is shared out among them: each ends when every
 * hart has done its part, and switches the machine off.
 */

import { assemble } from './assembler.js';

export const HART_PROGRAMS = ['partition', 'shared'] as const;
export type HartProgram = (typeof HART_PROGRAMS)[number];

/** Harts count themselves done at DONE; hart 0 waits for all. */
const DONE = 0x8040_0000;
const DATA = 0x8050_0000;

const BODIES: Readonly<Record<HartProgram, string>> = {
  // Arithmetic over 64 KiB of each hart's own.
  partition: `
    slli t0,a0,16
    li a1,${DATA}
    add a1,a1,t0
    li a3,65528
  loop:
    and t1,s1,a3
    add t1,t1,a1
    ld t2,0(t1)
    slli t3,t2,13
    xor t2,t2,t3
    srli t3,t2,7
    xor t2,t2,t3
    mul t2,t2,s2
    add t2,t2,s1
    sd t2,0(t1)
    addi s1,s1,-1
    bnez s1,loop`,
  // A third of the accesses are to one page of all.
  shared: `
    li a1,${DATA}
    slli t0,a0,3
    add a2,a1,t0
    li t1,1
  loop:
    amoadd.d zero,t1,(a1)
    ld t2,64(a2)
    add t2,t2,s1
    sd t2,64(a2)
    slli t3,t2,13
    xor t2,t2,t3
    addi s1,s1,-1
    bnez s1,loop`,
};

/** `iterations` of the first `workers` harts together; the others rest. */
export function hartProgram(name: HartProgram, workers: number, iterations: number): Uint8Array {
  const { bytes } = assemble(`
    csrr a0,mhartid
    li t2,${workers}
    bgeu a0,t2,rest
    li s1,${Math.floor(iterations / workers)}
    li s2,6364136223846793005
    ${BODIES[name]}
    li t0,${DONE}
    li t1,1
    amoadd.d zero,t1,(t0)
    bnez a0,rest
    li t2,${workers}
  wait:
    ld t1,0(t0)
    bne t1,t2,wait
    li t0,0x100000
    li t1,0x5555
    sw t1,0(t0)
  rest:
    wfi
    j rest`);
  return bytes;
}
