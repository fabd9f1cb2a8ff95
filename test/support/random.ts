/**
 * A seeded stream of random numbers for tests, so that a failure can be repeated (xorshift128 by
 * Marsaglia, seeded by a splitmix step). Not for anything secret.
 */

export class Random {
  private readonly state: Uint32Array;

  constructor(seed: number) {
    this.state = new Uint32Array(4);
    let at = seed | 0;
    for (let index = 0; index < 4; index++) {
      at = (at + 0x9e3779b9) | 0;
      let mixed = Math.imul(at ^ (at >>> 16), 0x21f0aaad);
      mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
      this.state[index] = mixed ^ (mixed >>> 15);
    }
  }

  u32(): number {
    const [a = 0, b = 0, c = 0, d = 0] = this.state;
    const mixed = a ^ (a << 11);
    this.state.set([b, c, d, d ^ (d >>> 19) ^ mixed ^ (mixed >>> 8)]);
    return this.state[3] ?? 0;
  }

  u64(): bigint {
    return (BigInt(this.u32()) << 32n) | BigInt(this.u32());
  }

  /** An integer from 0 to `limit` - 1. */
  below(limit: number): number {
    return this.u32() % limit;
  }

  pick<T>(values: readonly [T, ...T[]]): T {
    return values[this.below(values.length)] ?? values[0];
  }

  bytes(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => this.u32());
  }
}
