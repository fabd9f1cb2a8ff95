/** All word blocks of a machine as one range: what a snapshot keeps beside pages and names. */

import { LockstepError } from '../base/error.js';
import { present } from '../base/assert.js';
import type { MemoryLayout } from '../memory/layout.js';
import { WordBlock } from '../memory/word-block.js';

export class MachineWords {
  private readonly layout: MemoryLayout;
  private readonly buffer: ArrayBufferLike;

  constructor(layout: MemoryLayout, buffer: ArrayBufferLike) {
    this.layout = layout;
    this.buffer = buffer;
  }

  /** A copy. */
  save(): Uint8Array {
    return this.range().slice();
  }

  /** Throws `BAD_SNAPSHOT` when `words` are not as many bytes as this machine has. */
  restore(words: Uint8Array): void {
    const own = this.range();
    if (words.length !== own.length) {
      throw new LockstepError(
        'BAD_SNAPSHOT',
        `the snapshot has ${words.length} bytes of words, this machine ${own.length}`,
      );
    }
    own.set(words);
  }

  /** What word `index` is, such as `hart0.pc`. */
  name(index: number): string {
    const byteOffset = this.layout.wordsStart + index * 8;
    const owner = this.layout.blocks.findLast((block) => block.byteOffset <= byteOffset);
    const { spec, byteOffset: start } = present(owner, `block of word ${index}`);
    return new WordBlock(spec, this.buffer, start).nameOf((byteOffset - start) / 8);
  }

  private range(): Uint8Array {
    const { wordsStart, wordsEnd } = this.layout;
    return new Uint8Array(this.buffer, wordsStart, wordsEnd - wordsStart);
  }
}
