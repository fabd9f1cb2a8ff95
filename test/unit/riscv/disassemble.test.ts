/**
 * Goal: a listing says exactly what the bits mean, in the notation of the usual tools.
 * Method: text is assembled again to the same bits; and the text is compared with GNU objdump's
 * where that is installed, for all 16-bit encodings and for samples of every row of the table.
 */

import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { csrName } from '../../../lib/riscv/csr-names.js';
import { decode16, decode32, isCompressed } from '../../../lib/riscv/decode.js';
import { disassemble, disassembleDecoded } from '../../../lib/riscv/disassemble.js';
import { INSTRUCTIONS, type Instruction } from '../../../lib/riscv/table/index.js';
import { assemble } from '../../support/assembler.js';
import { findProgram } from '../../support/qemu.js';
import { Random } from '../../support/random.js';

const SAMPLES = 200;
const PC = 0x8000_0000n;

/** Random instructions of one row, without fields that the text does not show. */
function samplesOf(row: Instruction): number[] {
  const random = new Random(row.match);
  const shown = shownBits(row);
  return Array.from(
    { length: SAMPLES },
    () => ((random.u32() & ~row.mask & shown) | row.match) >>> 0,
  ).filter((word) => decode32(word) !== null);
}

function shownBits(row: Instruction): number {
  if (row.name === 'fence') return 0x0ff00000;
  return row.name === 'fence.i' ? 0 : 0xffffffff;
}

const corpus: readonly number[] = INSTRUCTIONS.flatMap(samplesOf);

test('every row of the table is assembled again from its text', (t) => {
  for (const word of corpus) {
    const text = disassemble(word, PC);
    const { bytes } = assemble(text);
    const again = new DataView(bytes.buffer).getUint32(0, true);
    if (again !== word) t.is(disassemble(again, PC), text, `0x${word.toString(16)}`);
  }
  t.true(corpus.length > INSTRUCTIONS.length * (SAMPLES / 2));
});

test('the usual forms read as in the manuals', (t) => {
  const cases: readonly (readonly [number, string])[] = [
    [0xff010113, 'addi sp,sp,-16'],
    [0x00c5a52f, 'amoadd.w a0,a2,(a1)'],
    [0x1605a52f, 'lr.w.aqrl a0,(a1)'],
    [0x00b50553, 'fadd.s fa0,fa0,fa1,rne'],
    [0x00b57553, 'fadd.s fa0,fa0,fa1'],
    [0x42058553, 'fcvt.d.s fa0,fa1'],
    [0xfe0007e3, 'beq zero,zero,0x7fffffee'],
    [0x30029573, 'csrrw a0,mstatus,t0'],
    [0x7c0025f3, 'csrrs a1,0x7c0,zero'],
    [0x3002d573, 'csrrwi a0,mstatus,5'],
    [0x0042200f, 'cbo.zero (tp)'],
    [0x8330000f, 'fence.tso'],
    [0x7139, 'c.addi16sp sp,-64'],
    [0xa001, 'c.j 0x80000000'],
    [0x0000, '.2byte 0x0'],
    [0xffffffff, '.4byte 0xffffffff'],
  ];
  for (const [bits, text] of cases) t.is(disassemble(bits, PC), text);
});

test('a branch target wraps around the address space as the pc does', (t) => {
  t.is(disassemble(0xfe0007e3, 0n), 'beq zero,zero,0xffffffffffffffee');
});

/** objdump's lines for a file of code at PC, without comments; null where there is none. */
async function objdump(code: Uint8Array): Promise<string[] | null> {
  const program = await findProgram('riscv64-unknown-elf-objdump');
  if (program === null) return null;
  const folder = mkdtempSync(join(tmpdir(), 'lockstep-objdump-'));
  try {
    const file = join(folder, 'code');
    writeFileSync(file, code);
    const kind = ['-D', '-z', '-b', 'binary', '-m', 'riscv:rv64', '-M', 'no-aliases'];
    const { stdout } = spawnSync(program, [...kind, `--adjust-vma=0x${PC.toString(16)}`, file], {
      encoding: 'utf8',
      maxBuffer: 2 ** 28,
    });
    return stdout
      .split('\n')
      .filter((line) => /^\s+[0-9a-f]+:\t/.test(line))
      .map((line) => line.split('\t').slice(2).join(' ').replace(/ #.*/, '').trim());
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test('all 16-bit encodings read as in objdump, where it is installed', async (t) => {
  const halves = Array.from({ length: 65_536 }, (_, half) => half).filter(isCompressed);
  const lines = await objdump(new Uint8Array(Uint16Array.from(halves).buffer));
  if (lines === null) {
    t.log('skipped: riscv64-unknown-elf-objdump is not installed');
    t.pass();
    return;
  }
  const different = halves.flatMap((half, index) => {
    const ours = disassemble(half, PC + BigInt(index * 2));
    return ours === lines[index] ? [] : [`${ours} | ${lines[index]}`];
  });
  // objdump has a name for the all-zero encoding, and takes a reserved one.
  t.deepEqual(different, ['.2byte 0x0 | c.unimp', '.2byte 0x6101 | c.addi16sp sp,0']);
});

/** What objdump 2.40 shows as data without further options, or names that we don't have. */
function isBeyondObjdump(word: number): boolean {
  const decoded = decode32(word);
  const { name = '', format } = decoded?.instruction ?? {};
  if (name === 'cbo.zero') return true;
  if (/^fcvt\.d\.(?:s|wu?)$/.test(name)) return decoded?.rm !== 0;
  return format === 'csr' && csrName(decoded?.imm ?? 0).startsWith('0x');
}

test('samples of every row read as in objdump, where it is installed', async (t) => {
  const words = corpus.filter((word) => !isBeyondObjdump(word));
  const lines = await objdump(new Uint8Array(Uint32Array.from(words).buffer));
  if (lines === null) {
    t.log('skipped: riscv64-unknown-elf-objdump is not installed');
    t.pass();
    return;
  }
  const different = words.flatMap((word, index) => {
    const ours = disassemble(word, PC + BigInt(index * 4));
    return ours === lines[index] ? [] : [`${ours} | ${lines[index]}`];
  });
  t.deepEqual(different, []);
});

test('what decoding keeps is enough for the full form of an instruction', (t) => {
  const text = (bits: number): string => {
    const decoded = (bits & 3) === 3 ? decode32(bits) : decode16(bits);
    return decoded === null ? '' : disassembleDecoded(decoded, 0x1000n);
  };
  t.is(text(0x00c58533), 'add a0,a1,a2');
  t.is(text(0xfe079ee3), disassemble(0xfe079ee3, 0x1000n));
  t.is(text(0x853e), 'add a0,zero,a5', 'c.mv');
  t.is(text(0x0ff0000f), 'fence');
});
