/**
 * Random programs for tests: instructions of the table with likely operands mixed with raw bits, in
 * any mode, with page tables that are partly wrong, devices included. The same seed gives the same
 * start.
 */

import { CLINT, PLIC, RTC, UART, virtioSlot } from '../../lib/machine/memory-map.js';
import { INSTRUCTIONS } from '../../lib/riscv/table/index.js';
import { assemble } from './assembler.js';
import { OPEN_PMP, type Guest, type Words } from './program.js';
import { PageTables, PTE, USER_PAGE, SUPERVISOR_PAGE } from './program-paging.js';
import { Random } from './random.js';

const CODE = 0x8000_0000;
const CODE_PAGES = 4;
const ADDRESSES: readonly [number, ...number[]] = [
  CODE,
  ...[CODE + 0xffc, CODE + 0x2000, 0x8001_0000, 0x8001_0ffd, 0x8010_0000, 0x8010_2000],
  ...[CLINT.base, CLINT.base + 0x4000, CLINT.base + 0xbff8, PLIC.base, PLIC.base + 0x2000],
  ...[UART.base, RTC.base, virtioSlot(0).base, virtioSlot(1).base, virtioSlot(1).base + 0x50],
  ...[0x1000, 0x801f_fff8, 0x8020_0000, 0],
];

/** Handlers that skip four bytes and go on, so that a program gets past its first fault. */
const SKIPPERS = assemble(
  `
  csrr t6,mepc
  addi t6,t6,4
  csrw mepc,t6
  mret
  .align 64
  csrr t6,sepc
  addi t6,t6,4
  csrw sepc,t6
  sret`,
  CODE + CODE_PAGES * 0x1000,
);

/** CSRs that decide what runs; fuzzing every number seldom meets one. */
const CSRS = [
  ...[0x100, 0x104, 0x105, 0x10a, 0x140, 0x141, 0x144, 0x14d, 0x180, 0x300, 0x302, 0x303, 0x304],
  ...[0x305, 0x306, 0x30a, 0x340, 0x341, 0x344, 0x3a0, 0x3b0, 0x3b1, 0xc00, 0xc01, 0xb00, 0x003],
];

/** Loads start number `seed` into the guest. */
export function loadRandom(guest: Guest, seed: number): Guest {
  const random = new Random(seed);
  const tables = new PageTables(random.pick(['sv39', 'sv48']), 0x8010_0000);
  const flags = (): number =>
    random.below(8) === 0 ? random.u32() & 0xff : random.pick([SUPERVISOR_PAGE, USER_PAGE]);
  for (let page = 0; page < 32; page++) {
    const same = BigInt(CODE + page * 0x1000);
    tables.map(same, same, page < CODE_PAGES && random.below(8) > 0 ? execute(random) : flags());
  }
  for (let page = 0; page < 8; page++) {
    const table = BigInt(0x8010_0000 + page * 0x1000);
    tables.map(table, table, flags());
  }
  for (const device of [UART.base, CLINT.base, virtioSlot(0).base]) {
    const page = BigInt(device) & ~0xfffn;
    tables.map(page, page, flags());
  }
  const code = new Uint8Array(CODE_PAGES * 0x1000);
  fillCode(random, new DataView(code.buffer));
  const skippers = BigInt(SKIPPERS.base);
  tables.map(skippers, skippers);
  const data = random.bytes(0x2000);
  return guest.load(
    [[CODE, code], [SKIPPERS.base, SKIPPERS.bytes], [0x8001_0000, data], ...tables.memory()],
    startOf(random, tables.satp),
  );
}

const execute = (random: Random): number =>
  random.pick([SUPERVISOR_PAGE, USER_PAGE, USER_PAGE, SUPERVISOR_PAGE & ~PTE.W]);

function startOf(random: Random, satp: bigint): Words {
  const registers = Array.from({ length: 31 }, (_, index) => [
    `x[${index + 1}]`,
    random.below(3) === 0 ? random.u64() : BigInt(random.pick(ADDRESSES) + random.below(16)),
  ]);
  const floats = Array.from({ length: 32 }, (_, index) => [`f[${index}]`, random.u64()]);
  const vector = (): bigint => BigInt(CODE + random.below(CODE_PAGES * 1024) * 4);
  return {
    ...(Object.fromEntries([...registers, ...floats]) as Words),
    ...OPEN_PMP,
    satp: random.below(4) === 0 ? 0n : satp,
    privilege: BigInt(random.pick([0, 1, 1, 3])),
    mstatus: (random.u64() & 0x7e19aan) | (BigInt(random.pick([0, 1, 3, 3])) << 13n),
    mtvec: random.below(4) === 0 ? vector() : BigInt(SKIPPERS.base),
    stvec: random.below(4) === 0 ? vector() | 1n : BigInt(SKIPPERS.base + 64),
    mepc: vector(),
    sepc: vector(),
    medeleg: random.u64() & 0xb3ffn,
    mideleg: random.u64() & 0x222n,
    mie: random.u64() & 0xaaan,
    menvcfg: (BigInt(random.below(2)) << 63n) | 0x80n,
    senvcfg: BigInt(random.below(2)) << 7n,
    stimecmp: BigInt(random.below(2000)),
    'clint.mtimecmp': BigInt(random.below(2000)),
    mcounteren: 7n,
    scounteren: 7n,
  };
}

/** Instructions one behind the other, as a mix of 16-bit, 32-bit and any bits. */
function fillCode(random: Random, code: DataView): void {
  for (let at = 0; at + 4 <= code.byteLength;) {
    const kind = random.below(10);
    if (kind === 0) {
      code.setUint32(at, random.u32(), true);
      at += random.pick([2, 4]);
    } else if (kind < 3) {
      code.setUint16(at, random.u32() & 0xffff, true);
      at += 2;
    } else {
      code.setUint32(at, instruction(random), true);
      at += 4;
    }
  }
}

function instruction(random: Random): number {
  const row = INSTRUCTIONS[random.below(INSTRUCTIONS.length)];
  if (row === undefined) return 0;
  let word = (random.u32() & ~row.mask) | row.match;
  if (row.format === 'csr' && random.below(4) > 0) {
    word = (word & 0xfffff) | ((CSRS[random.below(CSRS.length)] ?? 0) << 20);
  }
  // Short jumps mostly stay within the code.
  if (row.format === 'J') word = (word & 0x800fffff) | ((random.u32() & 0x7f) << 24);
  return word >>> 0;
}

/** Runs to `step`: parked harts wake at once or at their deadline, the machine never stops. */
export function runRandom(guest: Guest, step: bigint): 'reached' | 'stopped' {
  const { machine } = guest;
  for (;;) {
    const result = machine.runUntil({ hart: 0, step });
    machine.takeOutput();
    machine.takeInterrupts();
    if (result.reason === 'reached') return 'reached';
    if (result.reason === 'stopped') return 'stopped';
    if (result.reason === 'output' || result.reason === 'paused') continue;
    const now = machine.time(0);
    const far = result.deadline === null || result.deadline > now + 1_000_000n;
    const time = far ? now : result.deadline > now ? result.deadline : now;
    machine.apply({ kind: 'wake', hart: 0, step: machine.step(0), time });
  }
}

/** Gives the guest something from outside; the same seed gives the same at the same state. */
export function disturb({ machine }: Guest, random: Random): void {
  const here = { hart: 0, step: machine.step(0) };
  const kind = random.below(8);
  const bytes = random.bytes(1 + random.below(16));
  const rate = random.u64() & 0xf_ffff_ffffn;
  if (machine.stopped() !== null) return;
  const stream = kind % 2 === 0 ? 'uart' : 'virtio-console';
  if (kind < 4 && machine.inputSpace(stream) >= bytes.length) {
    machine.apply({
      ...here,
      kind: 'console-input',
      stream,
      client: 1n,
      sequence: here.step,
      bytes,
    });
  } else if (kind < 6) {
    machine.apply({ ...here, kind: 'rebase', rate });
  } else if (kind === 6 && machine.entropyWanted() > 0) {
    machine.apply({ ...here, kind: 'entropy', bytes });
  } else if (kind === 7 && rate % 4n === 0n) {
    machine.apply({ ...here, kind: 'control', action: 'reset' });
  }
}
