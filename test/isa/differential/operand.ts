/**
 * Values worth computing with: uniform bits almost never meet an edge, so most operands come from
 * the edges and their neighbourhood.
 */

import type { Random } from './random.js';

const INTEGER_EDGES: readonly bigint[] = [
  0n,
  1n,
  2n,
  0x7fn,
  0x80n,
  0x7fffn,
  0x8000n,
  0x7fff_ffffn,
  0x8000_0000n,
  0xffff_ffffn,
  0x1_0000_0000n,
  0x7fff_ffff_ffff_ffffn,
  0x8000_0000_0000_0000n,
];

export function randomInteger(random: Random): bigint {
  switch (random.below(6)) {
    case 0:
      return random.u64();
    case 1:
      return BigInt.asUintN(64, BigInt.asIntN(32, BigInt(random.u32())));
    case 2:
      return BigInt(random.below(64));
    case 3:
      return random.u64() >> BigInt(random.below(64));
    default: {
      const edge = random.pick(INTEGER_EDGES);
      const near = edge + BigInt(random.between(-2, 2));
      return BigInt.asUintN(64, random.oneIn(2) ? near : -near);
    }
  }
}

/** How a format's bits are divided. */
interface Format {
  readonly exponentBits: number;
  readonly fractionBits: number;
}

const SINGLE: Format = { exponentBits: 8, fractionBits: 23 };
const DOUBLE: Format = { exponentBits: 11, fractionBits: 52 };

/** A raw register: usually a double or a boxed single, sometimes a single that is not boxed. */
export function randomFloatRegister(random: Random): bigint {
  switch (random.below(8)) {
    case 0:
      return random.u64();
    case 1:
      return (random.u64() & 0xffff_ffff_0000_0000n) | randomFloat(random, SINGLE);
    case 2:
    case 3:
    case 4:
      return 0xffff_ffff_0000_0000n | randomFloat(random, SINGLE);
    default:
      return randomFloat(random, DOUBLE);
  }
}

function randomFloat(random: Random, { exponentBits, fractionBits }: Format): bigint {
  const fractionMask = (1n << BigInt(fractionBits)) - 1n;
  const maxExponent = (1 << exponentBits) - 1;
  const bias = maxExponent >> 1;
  const exponent = randomExponent(random, bias, maxExponent);
  const sign = BigInt(random.below(2)) << BigInt(exponentBits + fractionBits);
  return (
    sign |
    (BigInt(exponent) << BigInt(fractionBits)) |
    (randomFraction(random, fractionBits) & fractionMask)
  );
}

function randomExponent(random: Random, bias: number, max: number): number {
  switch (random.below(8)) {
    case 0:
      return random.pick([0, max]);
    case 1:
      return random.pick([1, 2, max - 1, max - 2]);
    case 2:
      return random.below(max + 1);
    case 3:
      // Where conversions to integers of 32 and 64 bits saturate, and fractions end.
      return bias + random.pick([-1, 22, 23, 24, 30, 31, 32, 51, 52, 53, 62, 63, 64]);
    case 4:
      // Products of two such fall around the smallest normal number.
      return Math.max(0, (bias >> 1) + random.between(-30, 30));
    default:
      return bias + random.between(-4, 4);
  }
}

function randomFraction(random: Random, bits: number): bigint {
  const width = BigInt(bits);
  switch (random.below(6)) {
    case 0:
      return 0n;
    case 1:
      return (1n << width) - 1n - BigInt(random.below(3));
    case 2:
      return BigInt(random.below(4));
    case 3:
      return 1n << BigInt(random.below(bits));
    case 4:
      return (random.u64() >> BigInt(random.below(64))) << BigInt(random.below(bits));
    default:
      return random.u64();
  }
}
