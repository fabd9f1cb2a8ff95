/**
 * A block of 64-bit words in the machine's flat memory, with a name for each word.
 *
 * Blocks are how harts and devices keep architectural state: everything in a block is hashed,
 * compared word by word, saved and restored, with no code per device. A device packs what it
 * likes into its words, but names them so that a divergence can be shown to a person.
 */

import { assert } from '../base/assert.js';

export interface WordBlockSpec {
  /** Such as "plic" or "hart0". */
  readonly name: string;
  /** Names in order; ["pending", 32] stands for pending[0] .. pending[31]. */
  readonly fields: readonly (string | readonly [name: string, count: number])[];
}

export function wordCount(spec: WordBlockSpec): number {
  let count = 0;
  for (const field of spec.fields) count += typeof field === 'string' ? 1 : field[1];
  return count;
}

export class WordBlock {
  readonly spec: WordBlockSpec;
  /** Byte offset in the machine's memory; a multiple of 8. */
  readonly byteOffset: number;
  readonly words: BigUint64Array;
  /** The same words as 32-bit halves, low half first. */
  readonly halves: Uint32Array;
  readonly bytes: Uint8Array;
  private readonly offsets = new Map<string, number>();

  constructor(spec: WordBlockSpec, buffer: ArrayBufferLike, byteOffset: number) {
    assert(byteOffset % 8 === 0, `block ${spec.name} at ${byteOffset} is not word aligned`);
    const count = wordCount(spec);
    this.spec = spec;
    this.byteOffset = byteOffset;
    this.words = new BigUint64Array(buffer, byteOffset, count);
    this.halves = new Uint32Array(buffer, byteOffset, count * 2);
    this.bytes = new Uint8Array(buffer, byteOffset, count * 8);
    let at = 0;
    for (const field of spec.fields) {
      const [name, length] = typeof field === 'string' ? [field, 1] : field;
      this.offsets.set(name, at);
      at += length;
    }
  }

  /** Index of the first word of a field within the block. */
  index(field: string): number {
    const at = this.offsets.get(field);
    assert(at !== undefined, `block ${this.spec.name} has no field ${field}`);
    return at;
  }

  get(index: number): bigint {
    const value = this.words[index];
    assert(value !== undefined, 'a word within its block', index);
    return value;
  }

  set(index: number, value: bigint): void {
    assert(index >= 0 && index < this.words.length, 'a word within its block', index);
    this.words[index] = value;
  }

  /** Name of a word for people: "plic.pending[3]". */
  nameOf(index: number): string {
    let at = 0;
    for (const field of this.spec.fields) {
      const [name, length] = typeof field === 'string' ? [field, 1] : field;
      if (index < at + length) {
        return length === 1
          ? `${this.spec.name}.${name}`
          : `${this.spec.name}.${name}[${index - at}]`;
      }
      at += length;
    }
    return `${this.spec.name}.?${index}`;
  }
}
