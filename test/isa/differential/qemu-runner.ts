/**
 * Runs a test image on QEMU and returns its signature. Guest RAM is a file that QEMU maps, so the
 * signature is read from it when the guest has powered off: no monitor, no serial protocol.
 *
 * Extensions that Lockstep does not have are switched off, so that their encodings are as illegal
 * there as here.
 */

import { mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Qemu } from '../../support/qemu.js';
import type { TestImage } from './image.js';
import { RUNTIME_ADDRESS } from './runtime.js';

const CPU = 'rv64,zba=false,zbb=false,zbc=false,zbs=false,h=false,sstc=true';
const MEMORY_MIB = 64;

export async function runOnQemu(program: string, image: TestImage): Promise<Uint8Array> {
  const folder = await mkdtemp(join(tmpdir(), 'lockstep-isa-'));
  try {
    const memory = join(folder, 'memory');
    const elf = join(folder, 'blocks.elf');
    await writeFile(elf, image.elf);
    const backend = `memory-backend-file,id=ram,size=${MEMORY_MIB}M,mem-path=${memory},share=on`;
    const machine = ['-machine', 'memory-backend=ram', '-object', backend];
    const memoryWords = ['-m', `${MEMORY_MIB}M`];
    const images = ['-cpu', CPU, '-bios', 'none', '-kernel', elf];
    const qemu = new Qemu(program, [...machine, ...memoryWords, ...images]);
    const { status, output } = await qemu.exit();
    if (status !== 0) throw new Error(`QEMU ended with status ${status}: ${output}`);
    return await readPart(memory, image.begin - RUNTIME_ADDRESS, image.end - image.begin);
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function readPart(path: string, offset: number, count: number): Promise<Uint8Array> {
  const file = await open(path);
  try {
    const { buffer } = await file.read(Buffer.alloc(count), 0, count, offset);
    return buffer;
  } finally {
    await file.close();
  }
}
