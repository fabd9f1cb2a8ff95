/**
 * Goal: devices reach RAM and nothing else, and what they write is seen by the hart at once: as
 * data, as code, as page tables, as dirty pages.
 * Method: the port alone; then a hart whose only device copies bytes into RAM at a store.
 */

import test from 'ava';
import { RegionCache } from '../../../lib/jit/region-cache.js';
import { RamDma } from '../../../lib/machine/dma.js';
import { planLayout } from '../../../lib/memory/layout.js';
import { hartDerivedRegions } from '../../../lib/riscv/derived.js';
import { Hart, type WebAssemblyMemory } from '../../../lib/riscv/hart.js';
import { HART_WORD, hartBlockSpec, type HartField } from '../../../lib/riscv/hart-state.js';
import { assemble, type Assembled } from '../../support/assembler.js';
import { PageTables, SUPERVISOR_PAGE } from '../../support/program-paging.js';

declare const WebAssembly: {
  Memory: new (limits: { initial: number; maximum: number; shared: boolean }) => WebAssemblyMemory;
};

const RAM = 0x8000_0000n;
const RAM_BYTES = 2 ** 21;
const DEVICE = 0x1000_0000;

interface Rig {
  readonly dma: RamDma;
  readonly hart: Hart;
  readonly written: [number, number][];
  readonly put: (field: HartField, value: bigint) => void;
}

/** A store to DEVICE copies the 8 bytes at `source` to the address that was stored. */
function rig(compiled: boolean): Rig {
  const layout = planLayout({
    ramBytes: RAM_BYTES,
    blocks: [hartBlockSpec(0)],
    derived: hartDerivedRegions(0, RAM_BYTES / 4096),
  });
  const pages = layout.totalBytes / 65_536;
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
  const written: [number, number][] = [];
  const dma = new RamDma(layout, memory.buffer, {
    claim: (at, bytes, mode) => hart.claim(at, bytes, mode),
    written: (at, bytes) => {
      written.push([at, bytes]);
      hart.noteDmaWrite(at, bytes);
    },
  });
  const hart = new Hart({
    ...{ hart: 0, layout, memory },
    compiler: compiled
      ? {
          create: (parts) => new RegionCache(parts, { counting: true, thoroughAfter: 0 }),
          hotAfter: 2,
        }
      : null,
    ports: {
      mmio: {
        read: () => null,
        write: (physical, _bytes, value) => {
          if (physical === DEVICE) dma.write(value, dma.read(SOURCE, 8));
          return physical === DEVICE;
        },
      },
      deviceDeadline: () => null,
      pollDevices: () => undefined,
      work: () => 'none',
      mustReturn: () => false,
      onInterrupt: () => undefined,
      ownership: null,
    },
  });
  const put = (field: HartField, value: bigint): void => hart.block.set(HART_WORD[field], value);
  return { dma, hart, written, put };
}

const SOURCE = RAM + 0x1_0000n;

/** Runs until the end of `program`, with the 8 bytes that the device copies. */
function run({ dma, hart, put }: Rig, program: Assembled, bytes: Uint8Array, steps = 60n): void {
  dma.write(RAM, program.bytes);
  dma.write(SOURCE, bytes);
  put('timeRate', 1n);
  hart.reset(RAM, [[10, BigInt(DEVICE)]]);
  hart.run(steps);
}

test('the port reads and writes RAM, little-endian, and reports what it wrote', (t) => {
  const { dma, written } = rig(false);
  dma.writeU32(RAM + 8n, 0x1122_3344);
  dma.writeU16(RAM + 14n, 0xffee);
  t.deepEqual([...dma.read(RAM + 8n, 8)], [0x44, 0x33, 0x22, 0x11, 0, 0, 0xee, 0xff]);
  t.is(dma.readU64(RAM + 8n), 0xffee_0000_1122_3344n);
  t.is(dma.readU32(RAM + 8n), 0x1122_3344);
  t.is(dma.readU16(RAM + 14n), 0xffee);
  dma.write(RAM, new Uint8Array(0));
  t.deepEqual(written, [
    [Number(RAM) + 8, 4],
    [Number(RAM) + 14, 2],
  ]);
  const copy = dma.read(RAM + 8n, 1);
  dma.writeU16(RAM + 8n, 0);
  t.is(copy[0], 0x44, 'a copy');
});

test('nothing outside RAM is reached', (t) => {
  const { dma } = rig(false);
  const end = RAM + BigInt(RAM_BYTES);
  t.true(dma.contains(RAM, RAM_BYTES));
  t.true(dma.contains(end, 0));
  for (const [address, bytes] of [
    [RAM - 1n, 1],
    [end - 1n, 2],
    [end, 1],
    [0n, 8],
    [(1n << 64n) - 4n, 8],
  ] as const) {
    t.false(dma.contains(address, bytes), `${address}`);
    t.throws(() => dma.read(address, bytes), { name: 'AssertionError' });
    t.throws(() => dma.write(address, new Uint8Array(bytes)), { name: 'AssertionError' });
  }
});

for (const compiled of [false, true]) {
  const engine = compiled ? 'compiler' : 'interpreter';

  test(`code that a device writes is executed from the next instruction (${engine})`, (t) => {
    const program = assemble(`
      la a1,patch
      li s1,4
    again:
      j patch
      .align 8
    patch:
      addi a2,a2,1
      addi s1,s1,-1
      bnez s1,again
      sd a1,0(a0)
      li s1,1
      bnez a3,done
      li a3,1
      j again
    done: j done`);
    const { bytes } = assemble('addi a2,a2,100\n addi s1,s1,-1');
    const one = rig(compiled);
    run(one, program, bytes);
    t.is(one.hart.block.get(12), 104n);
  });

  test(`page tables that a device writes hold for the next access (${engine})`, (t) => {
    const one = rig(compiled);
    const tables = new PageTables();
    tables.mapSame(Number(RAM), 16);
    tables.map(BigInt(DEVICE), BigInt(DEVICE));
    const entry = tables.map(0x4000_0000n, RAM + 0x2000n);
    for (const [at, bytes] of tables.memory()) one.dma.write(BigInt(at), bytes);
    one.dma.writeU32(RAM + 0x2000n, 0x1111);
    one.dma.writeU32(RAM + 0x3000n, 0x2222);
    const program = assemble(`
      li t0,${1n << 11n}
      csrw mstatus,t0
      li t0,${(1n << 54n) - 1n}
      csrw pmpaddr0,t0
      li t0,31
      csrw pmpcfg0,t0
      li t0,${tables.satp}
      csrw satp,t0
      la t0,inside
      csrw mepc,t0
      li a3,0x40000000
      li a1,${entry}
      mret
    inside:
      li s1,4
    again:
      lw a2,0(a3)
      addi s1,s1,-1
      bnez s1,again
      sd a1,0(a0)
      lw a4,0(a3)
    done: j done`);
    const other = ((RAM + 0x3000n) >> 2n) | BigInt(SUPERVISOR_PAGE);
    run(one, program, assemble(`.dword ${other}`).bytes, 100n);
    t.deepEqual([one.hart.block.get(12), one.hart.block.get(14)], [0x1111n, 0x2222n]);
    t.is(one.hart.block.get(HART_WORD.traps), 0n);
  });
}

test('pages that a device writes are dirty, each of them', (t) => {
  const { dma, hart } = rig(false);
  hart.takeDirtyPages();
  dma.write(RAM + 0x4ff8n, new Uint8Array(0x1010));
  dma.writeU16(RAM + 0x1_0000n, 1);
  t.deepEqual(hart.takeDirtyPages(), [4, 5, 6, 16]);
});
