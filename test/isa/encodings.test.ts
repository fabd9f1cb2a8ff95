/**
 * Goal: what is an instruction and what is illegal is decided as elsewhere, for every encoding of
 * 16 bits and for random ones of 32; and the random blocks reach every row of the table.
 * Method: run them in user mode on Lockstep and QEMU; and decode what the generator made.
 */

import test from 'ava';
import { decode16, decode32 } from '../../lib/riscv/decode.js';
import { COMPRESSED, INSTRUCTIONS } from '../../lib/riscv/table/index.js';
import { findQemu } from '../support/qemu.js';
import { makeBlock, type Block } from './differential/block.js';
import {
  explainDifference,
  findDifference,
  type Campaign,
  type Contestant,
} from './differential/campaign.js';
import { placeBlock } from './differential/image.js';
import { runOnLockstep } from './differential/lockstep-runner.js';
import { runOnQemu } from './differential/qemu-runner.js';
import { HALVES, wildHalves, wildWords } from './differential/wild.js';

const SEED = Number(process.env['LOCKSTEP_ISA_SEED'] ?? 20_000_000);
const PER_BLOCK = 64;
const WORD_BLOCKS = 2000;
const COVERAGE_BLOCKS = 600;

/** Rows that random blocks may not hold, and what runs them instead. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  mret: 'enters every block',
  'sfence.vma': 'precedes every block',
  sret: 'boot of Debian',
  wfi: 'ledger.test.ts',
  'cbo.zero': 'vectors.test.ts',
};

const lockstep: Contestant = {
  name: 'Lockstep',
  run: (image) => runOnLockstep(image, { engine: 'interpreter', hotAfter: 1 }).signature,
};

async function agrees(blocks: readonly Block[]): Promise<string | null> {
  const program = await findQemu();
  if (program === null) return 'skipped: qemu-system-riscv64 is not installed';
  const qemu: Contestant = { name: 'QEMU', run: (image) => runOnQemu(program, image) };
  const campaign: Campaign = { left: lockstep, right: qemu, rounds: 1 };
  const differing = await findDifference(campaign, blocks);
  if (differing !== null) throw new Error(await explainDifference(campaign, differing));
  return null;
}

test.serial('every 16-bit encoding does what it does on QEMU (skipped without QEMU)', async (t) => {
  const blocks = Array.from({ length: HALVES / PER_BLOCK }, (_, index) =>
    wildHalves(index * PER_BLOCK, PER_BLOCK),
  );
  t.log((await agrees(blocks)) ?? `${blocks.flatMap(({ units }) => units).length} encodings`);
  t.pass();
});

test.serial('random 32-bit words do what they do on QEMU (skipped without QEMU)', async (t) => {
  const blocks = Array.from({ length: WORD_BLOCKS }, (_, index) =>
    wildWords(SEED + index, PER_BLOCK),
  );
  t.log((await agrees(blocks)) ?? `${WORD_BLOCKS * PER_BLOCK} words, seeds from ${SEED}`);
  t.pass();
});

test('random blocks reach every row of the instruction table', (t) => {
  const names = new Set(Object.keys(ELSEWHERE));
  const forms = new Set<number>();
  for (let index = 0; index < COVERAGE_BLOCKS; index++) {
    for (const { word, instruction } of placeBlock(makeBlock(SEED + index, 64).units, 0).placed) {
      const isShort = instruction.bytes === 2;
      const decoded = isShort ? decode16(word) : decode32(word);
      if (decoded === null) continue;
      names.add(decoded.instruction.name);
      if (isShort) forms.add(COMPRESSED.findIndex(({ mask, match }) => (word & mask) === match));
    }
  }
  const missing = INSTRUCTIONS.map(({ name }) => name).filter((name) => !names.has(name));
  t.deepEqual(missing, []);
  const missingForms = COMPRESSED.filter((_form, index) => !forms.has(index));
  t.deepEqual(missingForms, []);
});
