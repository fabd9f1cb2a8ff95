/**
 * What the makers of random units share: instructions and units as data, the registers that may
 * be used, and where memory may be reached.
 */

import type { Random } from './random.js';

export interface Instruction {
  /** As an assembler would show it, for people. */
  readonly text: string;
  readonly bytes: 2 | 4;
  /** `distance` gives the bytes from this instruction to the start of a unit, or to the end. */
  encode(distance: (unit: number) => number): number;
}

export type Unit = readonly Instruction[];

/** What the makers of units share: the dice, the reserved registers, and where they stand. */
export interface BlockContext {
  readonly random: Random;
  /** One of x8 to x15, pointing at the middle of the scratch area plus `pointerSkew`. */
  readonly pointer: number;
  readonly pointerSkew: number;
  /** Atomic operations may be made. */
  readonly hasAtomics: boolean;
  /** Code that changes itself may be made. */
  readonly hasPatches: boolean;
  /** Index of the unit being made, and how many there are. */
  unit: number;
  readonly unitCount: number;
}

/** The scratch area: its middle is a page boundary, so that accesses cross it. */
export const SCRATCH_MIDDLE = 0x8000_f000;
export const SCRATCH_BYTES = 0x1000;
/** sp lies so far below the middle, since stack offsets are positive only. */
export const STACK_BELOW_MIDDLE = 256;
export const STACK_POINTER = 2;

/** An instruction whose encoding depends on nothing; its length is in its lowest bits. */
export function fixed(text: string, word: number): Instruction {
  return { text, bytes: (word & 3) === 3 ? 4 : 2, encode: () => word };
}

/** A register that may be overwritten: any but the two pointers. x0 is allowed. */
export function anyDestination({ random, pointer }: BlockContext): number {
  for (;;) {
    const register = random.below(32);
    if (register !== STACK_POINTER && register !== pointer) return register;
  }
}

/** As above, but a real register. */
export function realDestination(context: BlockContext): number {
  for (;;) {
    const register = anyDestination(context);
    if (register !== 0) return register;
  }
}

/** x8 to x15, for short encodings, and not the pointer. */
export function shortDestination({ random, pointer }: BlockContext): number {
  for (;;) {
    const register = random.between(8, 15);
    if (register !== pointer) return register;
  }
}

export function anySource({ random }: BlockContext): number {
  return random.below(32);
}

/** A later unit, near; or the end of the block. */
export function laterUnit({ random, unit, unitCount }: BlockContext): number {
  return Math.min(unitCount, unit + random.between(1, 4));
}
