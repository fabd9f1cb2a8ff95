/**
 * Seeded test vectors for floating point, biased to where implementations go wrong: subnormals,
 * the edges of overflow and underflow, halves, cancellations, NaNs, unboxed f32, exact results.
 *
 * A vector is 32 bytes, the layout that `float-oracle.c` reads. The operands of one vector are
 * often made for each other (a product near the smallest normal, an addend near minus the
 * product), because independent ones seldom meet.
 */

export const VECTOR_BYTES = 32;

export type VectorKind = 'f32' | 'f64' | 'integer';

interface Shape {
  readonly bits: number;
  readonly fractionBits: number;
  readonly exponentMax: number;
}

const SHAPES = {
  f32: { bits: 32, fractionBits: 23, exponentMax: 0xff },
  f64: { bits: 64, fractionBits: 52, exponentMax: 0x7ff },
} as const satisfies Record<string, Shape>;

/** Mulberry32: 32 bits of state are enough for vectors. */
class Random {
  private state: number;

  constructor(seed: number) {
    this.state = seed | 0;
  }

  bits32(): number {
    this.state = (this.state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.state ^ (this.state >>> 15), this.state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  }

  /** At least 0, below `limit`. */
  below(limit: number): number {
    return this.bits32() % limit;
  }

  /** Between `-reach` and `reach`. */
  around(reach: number): number {
    return this.below(2 * reach + 1) - reach;
  }

  bits(count: number): bigint {
    const wide = (BigInt(this.bits32()) << 32n) | BigInt(this.bits32());
    return BigInt.asUintN(count, wide);
  }
}

/** `count` vectors; equal arguments give equal bytes. */
export function vectorsOf(kind: VectorKind, seed: number, count: number): Uint8Array {
  const bytes = new Uint8Array(count * VECTOR_BYTES);
  const view = new DataView(bytes.buffer);
  const random = new Random(seed);
  for (let index = 0; index < count; index++) {
    const at = index * VECTOR_BYTES;
    const registers = kind === 'integer' ? [integer(random)] : floats(random, kind);
    registers.forEach((register, place) => view.setBigUint64(at + place * 8, register, true));
    view.setUint32(at + 24, random.below(10) % 5, true);
    view.setUint32(at + 28, random.below(4), true);
  }
  return bytes;
}

/** Any x register: all widths, powers of two, and halves between neighbouring floats. */
function integer(random: Random): bigint {
  const width = 1 + random.below(64);
  const fractionBits = random.below(2) === 0 ? 24 : 53;
  const shift = BigInt(random.below(64));
  const choices = [
    () => random.bits(width),
    () => -random.bits(width),
    () => (1n << shift) + BigInt(random.around(3)),
    () => -(1n << shift) + BigInt(random.around(3)),
    () => (((random.bits(fractionBits) << 1n) | 1n) << (shift % 12n)) + BigInt(random.around(1)),
    () => ((random.bits(24) << 40n) | (1n << 39n)) + BigInt(random.around(1)),
    () => ((random.bits(53) << 11n) | (1n << 10n)) + BigInt(random.around(1)),
  ];
  return BigInt.asUintN(64, choices[random.below(choices.length)]?.() ?? 0n);
}

/** Three registers. */
function floats(random: Random, kind: 'f32' | 'f64'): readonly bigint[] {
  const plain = triple(random, SHAPES[kind]);
  if (kind === 'f64') return plain;
  return plain.map((bits) => {
    const upper = random.below(32) === 0 ? random.bits(random.below(33)) : 0xffffffffn;
    return (upper << 32n) | bits;
  });
}

function triple(random: Random, shape: Shape): readonly bigint[] {
  const a = anyFloat(random, shape);
  const b = anyFloat(random, shape);
  const c = anyFloat(random, shape);
  switch (random.below(10)) {
    case 0:
      return [a, nearby(random, shape, a), nearby(random, shape, a)];
    case 1:
      return productNearEdge(random, shape);
    case 2:
      return quotientNearEdge(random, shape);
    case 3: {
      const product = multiply(shape, a, b);
      return [a, b, nearby(random, shape, product)];
    }
    case 4: {
      const [x, y] = [moderate(random, shape), moderate(random, shape)];
      const product = multiply(shape, x, y);
      return [x, y, nearby(random, shape, product)];
    }
    case 5:
      return closeExponents(random, shape);
    case 6: {
      const root = compose(shape, 0n, bias(shape) + random.around(40), halfWidth(random, shape));
      return [nearby(random, shape, multiply(shape, root, root)), root, root];
    }
    case 7:
      return [small(random, shape), small(random, shape), small(random, shape)];
    default:
      return [a, b, c];
  }
}

function bias(shape: Shape): number {
  return (shape.exponentMax - 1) / 2;
}

/** The exponent is clamped to the format's. */
function compose(shape: Shape, sign: bigint, exponent: number, fraction: bigint): bigint {
  const clamped = Math.min(Math.max(exponent, 0), shape.exponentMax);
  const high = (sign << BigInt(shape.bits - 1)) | (BigInt(clamped) << BigInt(shape.fractionBits));
  return high | BigInt.asUintN(shape.fractionBits, fraction);
}

function fraction(random: Random, shape: Shape): bigint {
  const width = shape.fractionBits;
  const ones = (1n << BigInt(width)) - 1n;
  const part = random.below(width + 1);
  const place = 1n << BigInt(random.below(width));
  switch (random.below(9)) {
    case 0:
      return 0n;
    case 1:
      return ones;
    case 2:
      return random.bits(part);
    case 3:
      return random.bits(part) << BigInt(width - part);
    case 4:
      return place;
    case 5:
      return ones ^ place;
    default:
      return random.bits(width);
  }
}

function exponent(random: Random, shape: Shape): number {
  switch (random.below(8)) {
    case 0:
      return random.below(3);
    case 1:
      return shape.exponentMax - random.below(4);
    case 2:
      return random.below(shape.exponentMax + 1);
    case 3:
      // Around the ranges of 32-bit and 64-bit integers.
      return bias(shape) + (random.below(2) === 0 ? 31 : 63) + random.around(2);
    default:
      return bias(shape) + random.around(66);
  }
}

function anyFloat(random: Random, shape: Shape): bigint {
  const sign = random.bits(1);
  switch (random.below(12)) {
    case 0:
      return special(random, shape);
    case 1:
      return random.bits(shape.bits);
    case 2:
      // An integer and a half, for conversions.
      return nearby(random, shape, half(random, shape));
    default:
      return compose(shape, sign, exponent(random, shape), fraction(random, shape));
  }
}

/** Zeros, infinities, quiet and signalling NaNs, smallest and largest of each class, ±1. */
function special(random: Random, shape: Shape): bigint {
  const sign = random.bits(1);
  const ones = (1n << BigInt(shape.fractionBits)) - 1n;
  const quiet = 1n << BigInt(shape.fractionBits - 1);
  const max = shape.exponentMax;
  const table: readonly (readonly [number, bigint])[] = [
    [0, 0n],
    [0, 0n],
    [0, 1n],
    [0, ones],
    [1, 0n],
    [max - 1, ones],
    [max, 0n],
    [max, 0n],
    [max, quiet],
    [max, quiet | random.bits(shape.fractionBits)],
    [max, 1n + random.bits(shape.fractionBits - 2)],
    [bias(shape), 0n],
  ];
  const [chosen, bits] = table[random.below(table.length)] ?? [0, 0n];
  return compose(shape, sign, chosen, bits);
}

function half(random: Random, shape: Shape): bigint {
  const width = random.below(shape.fractionBits);
  const bits = (random.bits(width) << 1n) | 1n;
  const fractionOfHalf = bits << BigInt(shape.fractionBits - 1 - width);
  return compose(shape, random.bits(1), bias(shape) + width, fractionOfHalf);
}

/** A few units in the last place away, of either sign. */
function nearby(random: Random, shape: Shape, plain: bigint): bigint {
  const magnitude = BigInt.asUintN(shape.bits - 1, plain) + BigInt(random.around(2));
  const sign = random.bits(1) << BigInt(shape.bits - 1);
  return sign | BigInt.asUintN(shape.bits - 1, magnitude);
}

/** Well inside the range, so that products and sums of products are too. */
function moderate(random: Random, shape: Shape): bigint {
  const range = shape.bits === 32 ? 20 : 300;
  const center = bias(shape) + random.around(range);
  return compose(shape, random.bits(1), center, fraction(random, shape));
}

/** Small integers, whose sums, products and some quotients are exact. */
function small(random: Random, shape: Shape): bigint {
  const value = random.around(1 << random.below(12));
  return fromNumber(shape, random.below(4) === 0 ? value / 8 : value);
}

function halfWidth(random: Random, shape: Shape): bigint {
  const width = Math.floor(shape.fractionBits / 2);
  return random.bits(width) << BigInt(shape.fractionBits - width);
}

/** a × b near the smallest normal, the smallest subnormal or the largest finite value. */
function productNearEdge(random: Random, shape: Shape): readonly bigint[] {
  const edges = [0, -shape.fractionBits, shape.exponentMax - 1];
  const edge = (edges[random.below(3)] ?? 0) + random.around(2);
  const first = random.below(shape.exponentMax);
  const second = edge + bias(shape) - first;
  const addend = Math.max(edge, 0) + random.around(shape.fractionBits);
  return [first, second, addend].map((value) =>
    compose(shape, random.bits(1), value, fraction(random, shape)),
  );
}

/** The same for a / b. */
function quotientNearEdge(random: Random, shape: Shape): readonly bigint[] {
  const edges = [0, -shape.fractionBits, shape.exponentMax - 1];
  const edge = (edges[random.below(3)] ?? 0) + random.around(2);
  const first = random.below(shape.exponentMax);
  const second = first - edge + bias(shape);
  return [first, second, edge].map((value) =>
    compose(shape, random.bits(1), value, fraction(random, shape)),
  );
}

function closeExponents(random: Random, shape: Shape): readonly bigint[] {
  const center = random.below(shape.exponentMax);
  const reach = 1 << random.below(8);
  return [0, 1, 2].map(() =>
    compose(shape, random.bits(1), center + random.around(reach), fraction(random, shape)),
  );
}

const scratch = new DataView(new ArrayBuffer(8));

function fromNumber(shape: Shape, value: number): bigint {
  if (shape.bits === 32) {
    scratch.setFloat32(0, value);
    return BigInt(scratch.getUint32(0));
  }
  scratch.setFloat64(0, value);
  return scratch.getBigUint64(0);
}

function toNumber(shape: Shape, plain: bigint): number {
  if (shape.bits === 32) {
    scratch.setUint32(0, Number(plain));
    return scratch.getFloat32(0);
  }
  scratch.setBigUint64(0, plain);
  return scratch.getFloat64(0);
}

/** Only to aim: the product need not be exact. */
function multiply(shape: Shape, a: bigint, b: bigint): bigint {
  return fromNumber(shape, toNumber(shape, a) * toNumber(shape, b));
}
