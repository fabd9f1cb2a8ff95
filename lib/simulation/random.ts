/**
 * The simulator's only source of randomness: sfc32 by Chris Doty-Humphrey, seeded by number.
 *
 * Each purpose draws from a stream of its own (`fork`), so that one more draw in the network does
 * not change the faults of a seed.
 */

import { present } from '../base/assert.js';

const WARM_UP_ROUNDS = 12;

export class Random {
  private a: number;
  private b: number;
  private c: number;
  private counter = 1;

  constructor(seed: number, stream: number) {
    this.a = seed | 0;
    this.b = Math.floor(seed / 0x1_0000_0000) | 0;
    this.c = stream | 0;
    for (let round = 0; round < WARM_UP_ROUNDS; round += 1) this.word();
  }

  /** 32 random bits as an unsigned number. */
  word(): number {
    const sum = (this.a + this.b + this.counter) | 0;
    this.counter = (this.counter + 1) | 0;
    this.a = this.b ^ (this.b >>> 9);
    this.b = (this.c + (this.c << 3)) | 0;
    this.c = (((this.c << 21) | (this.c >>> 11)) + sum) | 0;
    return sum >>> 0;
  }

  /** In [0, 1). */
  unit(): number {
    return this.word() / 0x1_0000_0000;
  }

  /** A whole number in [low, high]. */
  between(low: number, high: number): number {
    return low + Math.floor(this.unit() * (high - low + 1));
  }

  /** A real number in [low, high). */
  span(low: number, high: number): number {
    return low + this.unit() * (high - low);
  }

  chance(probability: number): boolean {
    return this.unit() < probability;
  }

  pick<T>(choices: readonly T[]): T {
    return present(choices[this.between(0, choices.length - 1)], 'a choice');
  }
}
