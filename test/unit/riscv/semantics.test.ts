/**
 * Goal: loads, stores and atomics move and combine the bits that the specification says.
 * Method: every kind at every alignment within a page, atomics against big integers, both engines.
 */

import test from 'ava';
import { assemble } from '../../support/assembler.js';
import { COMPILER, Guest, INTERPRETER, THOROUGH } from '../../support/program.js';
import { Random } from '../../support/random.js';

const DATA = 0x8004_0000n;
const BOX = 0xffff_ffff_0000_0000n;
const signed = (bits: number, value: bigint): bigint =>
  BigInt.asUintN(64, BigInt.asIntN(bits, value));
const unsigned = (bits: number, value: bigint): bigint => BigInt.asUintN(bits, value);

const LOADS: readonly (readonly [string, number, (value: bigint) => bigint])[] = [
  ['lb a1', 1, (value) => signed(8, value)],
  ['lbu a1', 1, (value) => unsigned(8, value)],
  ['lh a1', 2, (value) => signed(16, value)],
  ['lhu a1', 2, (value) => unsigned(16, value)],
  ['lw a1', 4, (value) => signed(32, value)],
  ['lwu a1', 4, (value) => unsigned(32, value)],
  ['ld a1', 8, (value) => value],
  ['flw fa1', 4, (value) => BOX | unsigned(32, value)],
  ['fld fa1', 8, (value) => value],
];
const STORES: readonly (readonly [string, number])[] = [
  ['sb a2', 1],
  ['sh a2', 2],
  ['sw a2', 4],
  ['sd a2', 8],
  ['fsw fa2', 4],
  ['fsd fa2', 8],
];

type Combine = (old: bigint, source: bigint, bits: number) => bigint;
const ATOMICS: Readonly<Record<string, Combine>> = {
  amoswap: (_old, source) => source,
  amoadd: (old, source) => old + source,
  amoxor: (old, source) => old ^ source,
  amoand: (old, source) => old & source,
  amoor: (old, source) => old | source,
  amomin: (old, source, bits) =>
    BigInt.asIntN(bits, old) < BigInt.asIntN(bits, source) ? old : source,
  amomax: (old, source, bits) =>
    BigInt.asIntN(bits, old) > BigInt.asIntN(bits, source) ? old : source,
  amominu: (old, source, bits) => (unsigned(bits, old) < unsigned(bits, source) ? old : source),
  amomaxu: (old, source, bits) => (unsigned(bits, old) > unsigned(bits, source) ? old : source),
};

for (const [engine, options] of [
  ['interpreter', INTERPRETER],
  ['compiler', COMPILER],
  ['thorough compiler', THOROUGH],
] as const) {
  const guest = new Guest(options);
  const random = new Random(21);
  const pattern = random.bytes(32);
  const bytesAt = (offset: number, bytes: number): bigint =>
    [...pattern.subarray(offset, offset + bytes)].reduceRight(
      (value, byte) => (value << 8n) | BigInt(byte),
      0n,
    );

  test(`a load takes its bytes and extends them (${engine})`, (t) => {
    for (const [name, bytes, extend] of LOADS) {
      const load = name.split(' ')[0] ?? '';
      const register = name.split(' ')[1] ?? '';
      for (let offset = 0; offset < 16; offset++) {
        const program = assemble(
          `li s1,3\n again: ${load} ${register},${offset}(a0)\n addi s1,s1,-1\n bnez s1,again\n done: j done`,
        );
        guest.load(
          [
            [program.base, program.bytes],
            [Number(DATA), pattern],
          ],
          {
            ...{ a0: DATA, mstatus: 0x6000n },
          },
        );
        guest.runTo(program.address('done'));
        t.is(guest.get(register), extend(bytesAt(offset, bytes)), `${name} ${offset}`);
      }
    }
  });

  test(`a store changes its bytes and no others (${engine})`, (t) => {
    for (const [name, bytes] of STORES) {
      const store = name.split(' ')[0] ?? '';
      const register = name.split(' ')[1] ?? '';
      const value = random.u64();
      for (let offset = 0; offset < 16; offset++) {
        const program = assemble(
          `li s1,3\n again: ${store} ${register},${offset}(a0)\n addi s1,s1,-1\n bnez s1,again\n done: j done`,
        );
        guest.load(
          [
            [program.base, program.bytes],
            [Number(DATA), pattern],
          ],
          {
            ...{ a0: DATA, mstatus: 0x6000n, [register]: value },
          },
        );
        guest.runTo(program.address('done'));
        const expected = pattern.slice();
        let rest = value;
        for (let index = 0; index < bytes; index++, rest >>= 8n) {
          expected[offset + index] = Number(rest & 255n);
        }
        const page = guest.machine.savePage(0x40)?.subarray(0, 32);
        t.deepEqual(page, expected, `${name} ${offset}`);
      }
    }
  });

  test(`an atomic gives the old value and stores the combined one (${engine})`, (t) => {
    for (const [name, combine] of Object.entries(ATOMICS)) {
      for (const [letter, bits] of [
        ['w', 32],
        ['d', 64],
      ] as const) {
        for (let round = 0; round < 12; round++) {
          const narrow = round % 2 === 0 ? 8n : 0n;
          const [old, source] = [signed(64, random.u64()) >> narrow, random.u64()];
          const program = assemble(`${name}.${letter} a1,a2,(a0)`);
          const memory = assemble(`.dword ${old}`, Number(DATA));
          guest.load(
            [
              [program.base, program.bytes],
              [memory.base, memory.bytes],
            ],
            {
              ...{ a0: DATA, a2: source },
            },
          );
          guest.run(1);
          t.is(guest.get('a1'), signed(bits, old), name);
          const upper = bits === 32 ? old & BOX : 0n;
          const expected = upper | unsigned(bits, combine(old, source, bits));
          t.is(guest.read(Number(DATA), 8), expected, `${name}.${letter} ${old} ${source}`);
        }
      }
    }
  });

  test(`an atomic may name its source or address as destination (${engine})`, (t) => {
    const program = assemble('amoadd.d a0,a2,(a0)\n amoadd.d a2,a2,(a3)\n amoswap.d a4,a4,(a4)');
    guest.program(program, { a0: DATA, a2: 5n, a3: DATA, a4: DATA + 8n }).run(3);
    t.deepEqual([guest.get('a0'), guest.get('a2'), guest.get('a4')], [0n, 5n, 0n]);
    t.is(guest.read(Number(DATA), 8), 10n);
    t.is(guest.read(Number(DATA) + 8, 8), DATA + 8n);
  });
}
