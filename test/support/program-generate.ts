/**
 * A guest that never runs the same code for long: in S mode it writes four functions into the next
 * page of an area of code, changes to the next of its address spaces, where the area lies at
 * another virtual address, and calls them. When the area ends it begins anew.
 *
 * The area has twice the pages whose decoded code is kept, so that the bound is met repeatedly.
 */

import type { RegionObserver } from '../../lib/jit/region-observer.js';
import { RAM_BASE } from '../../lib/machine/config.js';
import type { EngineOptions } from '../../lib/machine/engine.js';
import type { Machine } from '../../lib/machine/machine.js';
import { createRiscvMachine } from '../../lib/machine/riscv-machine.js';
import { CODE_PAGES } from '../../lib/riscv/derived.js';
import { assemble } from './assembler.js';
import { PAGE, PROGRAM_CONFIG } from './program.js';
import { SUPERVISOR_PAGE } from './program-paging.js';

const SPACES = 64;
/** What lies below is the program that generates, which runs all the time. */
export const TABLES = 0x8010_0000;
const AREA = 0x8040_0000;
const FUNCTIONS = 4;
const FUNCTION_BYTES = PAGE / FUNCTIONS;
const AREA_BYTES = 2 * CODE_PAGES * PAGE;
const MEMORY_BYTES = AREA - RAM_BASE + AREA_BYTES;
/** Gigabyte of the first space in which the area lies; each has the next. */
const FIRST_GIGABYTE = 8;
const SV39 = 8n << 60n;

/** `iterations` of each function's loop decide how hot it gets. */
const source = (iterations: number): string => `
  li t0,-1
  csrw pmpaddr0,t0
  li t0,0x1f
  csrw pmpcfg0,t0
  li t0,0x0800              # MPP = S
  csrw mstatus,t0
  la t0,supervisor
  csrw mepc,t0
  mret
supervisor:
  li s0,${AREA}
  li s1,${AREA + AREA_BYTES}
  li s3,88172645463325252
  li s4,6364136223846793005
  li s6,${SPACES}
  li s7,${SV39 | BigInt(TABLES / PAGE)}
  li s8,${(1n << 44n) + 1n}       # next ASID, next table
  li s9,0x7ff00000
  li s10,${PAGE}
restart:
  mv s2,s0
next:
  mv t3,s2
  li t4,${FUNCTIONS}
write:
  mul s3,s3,s4              # addi a0,a0,RANDOM
  addi s3,s3,1
  srli t0,s3,20
  and t0,t0,s9
  li t1,0x00050513
  or t1,t1,t0
  sw t1,0(t3)
  srli t0,s3,9              # xori a0,a0,RANDOM
  and t0,t0,s9
  li t1,0x00054513
  or t1,t1,t0
  sw t1,4(t3)
  li t1,0xfff58593          # addi a1,a1,-1
  sw t1,8(t3)
  li t1,0xfe059ae3          # bnez a1,-12
  sw t1,12(t3)
  li t1,0x00008067          # ret
  sw t1,16(t3)
  addi t3,t3,${FUNCTION_BYTES}
  addi t4,t4,-1
  bnez t4,write
  fence.i
  addi s5,s5,1
  add s7,s7,s8
  bne s5,s6,switch
  li s5,0
  li s7,${SV39 | BigInt(TABLES / PAGE)}
switch:
  csrw satp,s7
  addi t0,s5,${FIRST_GIGABYTE - 2}
  slli t0,t0,30
  add t0,t0,s2
  li t4,${FUNCTIONS}
call:
  li a1,${iterations}
  jalr ra,0(t0)
  addi t0,t0,${FUNCTION_BYTES}
  addi t4,t4,-1
  bnez t4,call
  add s2,s2,s10
  bne s2,s1,next
  j restart
`;

/** Each space maps memory where it is, and once more in a gigabyte of its own. */
function tables(): Uint8Array {
  const bytes = new Uint8Array(SPACES * PAGE);
  const view = new DataView(bytes.buffer);
  const entry = ((BigInt(RAM_BASE) >> 12n) << 10n) | BigInt(SUPERVISOR_PAGE);
  for (let space = 0; space < SPACES; space++) {
    view.setBigUint64(space * PAGE + 2 * 8, entry, true);
    view.setBigUint64(space * PAGE + (FIRST_GIGABYTE + space) * 8, entry, true);
  }
  return bytes;
}

export function generatingMachine(
  iterations: number,
  engine: EngineOptions,
  regions: RegionObserver,
): Machine {
  const program = assemble(source(iterations));
  const bios = new Uint8Array(TABLES - RAM_BASE + SPACES * PAGE);
  bios.set(program.bytes);
  bios.set(tables(), TABLES - RAM_BASE);
  const config = { ...PROGRAM_CONFIG, memoryBytes: MEMORY_BYTES };
  return createRiscvMachine(config, { bios, kernel: null, initrd: null }, engine, { regions });
}
