/**
 * Blocks of arbitrary encodings, legal or not: does the decoder accept and refuse what QEMU's
 * does, and with the same effect?
 *
 * They run in user mode behind page tables that map little, so that whatever they address, they
 * harm nothing. Left out are what would leave the block (jumps, branches) and what QEMU 7.2 does
 * otherwise than the specification says or than Lockstep has (atomics' causes, cbo.zero).
 */

import type { Block } from './block.js';
import { fixed, type Instruction, type Unit } from './context.js';
import { CONFINED } from './environment.js';
import { randomFloatRegister, randomInteger } from './operand.js';
import { Random } from './random.js';

const BRANCH = 0x63;
const JALR = 0x67;
const JAL = 0x6f;
const ATOMIC = 0x2f;
/** MISC-MEM: fences and cache block operations. */
const FENCES = 0x0f;
const CBO_FUNCT3 = 2;

/** Major opcodes with rows in the table come up often, since most of the others are empty. */
const KNOWN_OPCODES: readonly number[] = [
  0x03, 0x07, 0x0f, 0x13, 0x17, 0x1b, 0x23, 0x27, 0x33, 0x37, 0x3b, 0x43, 0x47, 0x4b, 0x4f, 0x53,
  0x73,
];
export const HALVES = 0x1_0000;

/** A 16-bit encoding that stays in the block. */
export function isTameHalf(half: number): boolean {
  const quadrant = half & 3;
  const funct3 = half >> 13;
  if (quadrant === 3) return false;
  if (quadrant === 1) return funct3 < 5;
  const isRegisterJump = quadrant === 2 && funct3 === 4 && ((half >> 2) & 31) === 0;
  return !isRegisterJump || ((half >> 7) & 31) === 0;
}

function isTameWord(word: number): boolean {
  const opcode = word & 0x7f;
  if (opcode === BRANCH || opcode === JALR || opcode === JAL || opcode === ATOMIC) return false;
  return opcode !== FENCES || ((word >>> 12) & 7) !== CBO_FUNCT3;
}

function randomWord(random: Random): number {
  for (;;) {
    const bits = random.u32();
    const opcode = random.oneIn(8) ? (bits & 0x7f) | 3 : random.pick(KNOWN_OPCODES);
    // Half of the words have a small upper field, as most defined encodings do.
    const upper = random.oneIn(2) ? bits : bits & 0x41ff_ffff;
    const word = ((upper & ~0x7f) | opcode) >>> 0;
    if (isTameWord(word)) return word;
  }
}

function wildBlock(seed: number, random: Random, words: readonly number[]): Block {
  const integer = Array.from({ length: 32 }, () => randomInteger(random));
  integer[0] = 0n;
  const float = Array.from({ length: 32 }, () => randomFloatRegister(random));
  const units = words.map((word): Unit => [wild(word)]);
  return { seed, state: { integer, float, fcsr: 0 }, environment: CONFINED, units };
}

function wild(word: number): Instruction {
  return fixed(`encoding 0x${word.toString(16)}`, word);
}

/** `count` random 32-bit words. */
export function wildWords(seed: number, count: number): Block {
  const random = new Random(seed);
  const words = Array.from({ length: count }, () => randomWord(random));
  return wildBlock(seed, random, words);
}

/** All tame 16-bit encodings from `first` on, `count` numbers of them. */
export function wildHalves(first: number, count: number): Block {
  const random = new Random(first);
  const halves = Array.from({ length: count }, (_, index) => first + index).filter(isTameHalf);
  return wildBlock(first, random, halves);
}
