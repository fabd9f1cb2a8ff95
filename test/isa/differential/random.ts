/**
 * Seeded random numbers for the differential campaign: the same seed gives the same programs on
 * every host, so that a failing block is named by two numbers.
 */

/** The generator sfc32: 128 bits of state, small and fast, far better than its use here needs. */
export class Random {
  private a = 0x9e3779b9;
  private b = 0x243f6a88;
  private c: number;
  private counter = 1;

  constructor(seed: number) {
    this.c = seed >>> 0;
    for (let round = 0; round < 16; round++) this.u32();
  }

  /** Uniform below 2^32. */
  u32(): number {
    const sum = (this.a + this.b + this.counter) >>> 0;
    this.counter = (this.counter + 1) >>> 0;
    this.a = this.b ^ (this.b >>> 9);
    this.b = (this.c + (this.c << 3)) >>> 0;
    this.c = (((this.c << 21) | (this.c >>> 11)) + sum) >>> 0;
    return sum;
  }

  u64(): bigint {
    return (BigInt(this.u32()) << 32n) | BigInt(this.u32());
  }

  /** Uniform from 0 to `limit` - 1; `limit` is far below 2^32, so the bias does not matter. */
  below(limit: number): number {
    return this.u32() % limit;
  }

  /** Uniform from `low` to `high`, both included. */
  between(low: number, high: number): number {
    return low + this.below(high - low + 1);
  }

  /** True once in `n` times. */
  oneIn(n: number): boolean {
    return this.below(n) === 0;
  }

  pick<T>(values: readonly T[]): T {
    const value = values[this.below(values.length)];
    if (value === undefined) throw new RangeError('nothing to pick from');
    return value;
  }
}
