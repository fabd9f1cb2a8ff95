/**
 * A guest that writes its disk and reads it back, and what the disk must hold in the end.
 *
 * It drives virtio-blk by itself: number n goes to three sectors (so that most writes begin and
 * end within a block) at a place that runs all over the disk; then three other sectors are read
 * and their first number is added up, so that a wrong byte shows in the guest. Now and then it
 * prints n and the sum. At the end it flushes and switches the machine off.
 */

import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { assemble } from './assembler.js';
import { elfOf } from '../unit/machine/images.js';

const REQUEST_SECTORS = 3;
const REQUEST_BYTES = REQUEST_SECTORS * 512;
/** Where requests begin, unless a test wants another power of two. */
const SPAN_SECTORS = 65_536;
const WRITE_STRIDE = 37;
const READ_STRIDE = 101;
export const DISK_GUEST_BYTES = diskGuestBytes(SPAN_SECTORS);
export const DISK_GUEST_LINES = 16;

/** Size of a disk on which requests begin at so many sectors. */
export function diskGuestBytes(spanSectors: number): number {
  return spanSectors * 512 + REQUEST_BYTES;
}

/**
 * An ELF that makes `count` writes, a power of two; a line is printed 16 times. `rounds` says
 * whether it makes the same writes again and again, until a byte comes on its console.
 */
export function diskGuest(
  count: number,
  rounds: 'one' | 'until-input' = 'one',
  spanSectors = SPAN_SECTORS,
): Uint8Array {
  const again = rounds === 'one' ? '' : AGAIN;
  const program = START + source(count, count / DISK_GUEST_LINES, again) + routines(spanSectors);
  const { bytes } = assemble(program);
  return elfOf({ segments: [[0x8000_0000n, bytes, 0x2_0000n]], symbols: [] });
}

/** The overlay of the machine that a node has now, in its state directory. */
export function overlayOf(state: string): string {
  const numbers = readdirSync(state)
    .map((name) => Number(/^disks-(\d+)$/.exec(name)?.[1] ?? 0))
    .filter((number) => number > 0);
  return join(state, `disks-${Math.max(...numbers)}`, 'disk-0.overlay');
}

/** The disk's content after all writes, over `base`. */
export function diskGuestContent(base: Uint8Array, count: number): Buffer {
  const disk = Buffer.from(base);
  for (let number = 1; number <= count; number++) {
    const at = ((number * WRITE_STRIDE) % SPAN_SECTORS) * 512;
    for (let word = 0; word < REQUEST_BYTES / 8; word++) {
      disk.writeUInt32LE(number + word, at + word * 8);
      disk.writeUInt32LE(0, at + word * 8 + 4);
    }
  }
  return disk;
}

/**
 * The number that was written last to each sector, 0 for none, and which of a request's sectors
 * it is: what a disk too large for a copy in memory must hold.
 */
export function diskGuestWriters(
  count: number,
  spanSectors: number,
): { readonly numbers: Uint32Array; readonly parts: Uint8Array } {
  const numbers = new Uint32Array(spanSectors + REQUEST_SECTORS);
  const parts = new Uint8Array(numbers.length);
  for (let number = 1; number <= count; number++) {
    const sector = (number * WRITE_STRIDE) % spanSectors;
    for (let part = 0; part < REQUEST_SECTORS; part++) {
      numbers[sector + part] = number;
      parts[sector + part] = part;
    }
  }
  return { numbers, parts };
}

/** Content of a sector that is the `part`-th of request `number`. */
export function diskGuestSector(number: number, part: number): Uint32Array {
  const words = new Uint32Array(128);
  for (let word = 0; word < 64; word++) words[2 * word] = number + part * 64 + word;
  return words;
}

function source(count: number, period: number, again: string): string {
  return `
    li s7, 0
    li s8, 0
    li s9, 0
  loop:
    addi s7,s7,1
    mv t0,s6
    li t1, ${REQUEST_BYTES / 8}
    mv t2,s7
  fill:
    sd t2,0(t0)
    addi t0,t0,8
    addi t2,t2,1
    addi t1,t1,-1
    bnez t1,fill
    li a0, 1
    li t0, ${WRITE_STRIDE}
    call place
    li a0, 0
    li t0, ${READ_STRIDE}
    call place
    ld t0,0(s6)
    add s9,s9,t0
    li t0, ${period - 1}
    and t0,t0,s7
    bnez t0,next
    mv a0,s7
    call hex
    li t0, 32
    sb t0,0(s1)
    mv a0,s9
    call hex
    li t0, 10
    sb t0,0(s1)
  next:
    li t0, ${count}
    bne s7,t0,loop
    ${again}
    li a0, 4
    li t0, 0
    call place
    li t1, 0x5555
    j stop
  `;
}

/** `place`: a request of type a0 at sector number * t0. `hex`: prints a0 as 16 digits. */
const routines = (spanSectors: number): string => `
  place:
    mul a1,s7,t0
    li t0, ${spanSectors - 1}
    and a1,a1,t0
    sw a0,0(s5)
    sw zero,4(s5)
    sd a1,8(s5)
    sd s5,0(s2)
    li t0, 16
    sw t0,8(s2)
    li t0, 1
    sh t0,12(s2)
    sh t0,14(s2)
    sd s6,16(s2)
    li t0, ${REQUEST_BYTES}
    sw t0,24(s2)
    li t0, 1
    bnez a0,described
    li t0, 3
  described:
    sh t0,28(s2)
    li t0, 2
    sh t0,30(s2)
    addi t0,s5,256
    sd t0,32(s2)
    li t0, 1
    sw t0,40(s2)
    li t0, 2
    sh t0,44(s2)
    sh zero,46(s2)
    andi t0,s8,7
    slli t0,t0,1
    add t0,t0,s3
    sh zero,4(t0)
    addi s8,s8,1
    sh s8,2(s3)
    sw zero,0x50(s0)
    slli t1,s8,48
    srli t1,t1,48
  wait:
    lhu t0,2(s4)
    bne t0,t1,wait
    lw t0,0x60(s0)
    sw t0,0x64(s0)
    lbu t0,256(s5)
    bnez t0,failed
    ret
  failed:
    li t1, 0x13333
  stop:
    li t0, 0x100000
    sw t1,0(t0)
  end:
    j end
  hex:
    li t1, 60
    li t2, 58
  digit:
    srl t0,a0,t1
    andi t0,t0,15
    addi t0,t0,48
    blt t0,t2,put
    addi t0,t0,39
  put:
    sb t0,0(s1)
    addi t1,t1,-4
    bge t1,zero,digit
    ret
`;

/** Brings the device up: s0 the device, s1 the UART, s2 to s4 the rings, s5 header, s6 data. */
const START = `
    li s0, 0x10005000
    li s1, 0x10000000
    li s2, 0x80010000
    li s3, 0x80011000
    li s4, 0x80012000
    li s5, 0x80013000
    li s6, 0x80014000
    sw zero,0x70(s0)
    li t0, 1
    sw t0,0x70(s0)
    li t0, 3
    sw t0,0x70(s0)
    sw zero,0x24(s0)
    li t0, 0x200
    sw t0,0x20(s0)
    li t0, 1
    sw t0,0x24(s0)
    sw t0,0x20(s0)
    li t0, 11
    sw t0,0x70(s0)
    sw zero,0x30(s0)
    li t0, 8
    sw t0,0x38(s0)
    sw s2,0x80(s0)
    sw s3,0x90(s0)
    sw s4,0xa0(s0)
    li t0, 1
    sw t0,0x44(s0)
    li t0, 15
    sw t0,0x70(s0)
`;

/** Begins anew as long as the UART has no byte. */
const AGAIN = `
    li s7, 0
    lbu t0,5(s1)
    andi t0,t0,1
    beqz t0,loop
`;
