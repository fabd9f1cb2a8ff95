/**
 * Goal: a quick access to a control and status register does what the exact one does.
 * Method: random instructions on random states, by `QuickCsr` on one hart and by `CsrFile` on
 * another; then all words of both are compared, and whether the hart must look around.
 */

import test from 'ava';
import { CsrFile } from '../../../lib/riscv/csr.js';
import { HART_WORD, type HartField } from '../../../lib/riscv/hart-state.js';
import { NOT_QUICK, QuickCsr } from '../../../lib/riscv/quick-csr.js';
import { STATUS_LEAVE } from '../../../lib/riscv/semantics/access-frame.js';
import { hartParts, type HartParts } from '../../support/program-parts.js';
import { Random } from '../../support/random.js';

const SSTATUS = 0x100;
const CSRS = [SSTATUS, SSTATUS, 0x140, 0x141, 0x142, 0x143, 0x144, 0x180, 0x300, 0x340];
const ROUNDS = 3_000;
/** Bits that mstatus can hold. */
const MSTATUS_BITS = 0x007e79aan;
const INTERRUPTS = 0xaaan;

function exact({ memory, mmu, pmp }: HartParts, word: number): number {
  const { block } = memory;
  const csr = new CsrFile({
    block,
    pmp,
    mmu,
    hart: 0,
    counters: { retired: () => 0n, time: () => 0n, timerChanged: () => undefined },
  });
  const address = word >>> 20;
  const [funct3, rd, source] = [(word >>> 12) & 7, (word >>> 7) & 31, (word >>> 15) & 31];
  const operand = funct3 >= 4 ? BigInt(source) : block.get(source);
  const old = csr.read(address) ?? 0n;
  const kind = funct3 & 3;
  let effect = 'none';
  if (kind === 1 || source !== 0) {
    effect = csr.write(address, kind === 1 ? operand : kind === 2 ? old | operand : old & ~operand);
  }
  if (rd !== 0) block.set(rd, BigInt.asUintN(64, old));
  return effect === 'recheck' ? STATUS_LEAVE : 0;
}

test('quick accesses leave the state that exact ones leave', (t) => {
  const random = new Random(3);
  const [one, other] = [hartParts(), hartParts()];
  const quick = new QuickCsr(one.memory.block, one.mmu);
  const operands = [0n, 2n, 0x100n, 0x122n, 1n << 18n, (1n << 64n) - 1n, 0x6000n, 1n << 63n];
  let quickly = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const put = (field: HartField, value: bigint): void => {
      one.put(field, value);
      other.put(field, value);
    };
    put('privilege', random.below(2) === 0 ? 1n : 3n);
    put('mstatus', random.u64() & MSTATUS_BITS);
    put('mie', random.u64() & INTERRUPTS);
    put('mipLines', random.u64() & INTERRUPTS);
    put('mipSoftware', random.u64() & 2n);
    for (const field of ['sepc', 'scause', 'stval', 'sscratch'] as const) {
      put(field, random.u64() & (field === 'sepc' ? ~1n : ~0n) & ((1n << 64n) - 1n));
    }
    const value = random.below(2) === 0 ? random.u64() : (operands[random.below(8)] ?? 0n);
    for (const { memory } of [one, other]) memory.block.set(11, value);
    const csr = CSRS[random.below(CSRS.length)] ?? 0;
    const kind = 1 + random.below(3) + 4 * random.below(2);
    const source = kind >= 4 ? random.below(32) : [0, 11][random.below(2)];
    const rd = [0, 10, 11][random.below(3)] ?? 0;
    const word = ((csr << 20) | ((source ?? 0) << 15) | (kind << 12) | (rd << 7) | 0x73) >>> 0;
    const before = one.memory.block.words.slice();
    const status = quick.access(word);
    if (status === NOT_QUICK) {
      t.deepEqual(one.memory.block.words, before);
      continue;
    }
    quickly++;
    const expected = exact(other, word);
    if (status !== expected) t.is(status, expected, `${word.toString(16)}`);
    t.deepEqual(one.memory.block.words, other.memory.block.words, word.toString(16));
  }
  t.true(quickly > ROUNDS / 3, `${quickly} quick accesses`);
});

test('in U mode no access is quick, and no register is lost', (t) => {
  const parts = hartParts();
  parts.put('privilege', 0n);
  const quick = new QuickCsr(parts.memory.block, parts.mmu);
  t.is(quick.access((0x140 << 20) | (1 << 12) | 0x73), NOT_QUICK);
  t.is(parts.memory.block.get(HART_WORD.sscratch), 0n);
});
