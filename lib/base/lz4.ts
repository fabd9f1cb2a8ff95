/**
 * LZ4 blocks (lz4_Block_format.md of the LZ4 project): a compression so cheap that it costs less
 * than hashing and sending what it leaves out.
 *
 *   sequence   token:u8 [literal length:u8...] literals [offset:u16 [match length:u8...]]
 *
 * The token's high half is the number of literals, its low half the length of the match less 4; a
 * half of 15 goes on in bytes that are added up to the first one below 255. The last sequence has
 * literals alone.
 *
 * What a block is made of is fixed; which block is made of it may differ from version to version.
 */

import { DecodeError } from './bytes.js';

const MIN_MATCH = 4;
/** The format ends with literals, and no match begins in the last 12 bytes. */
const LAST_LITERALS = 5;
const LAST_MATCH_DISTANCE = 12;
const MAX_OFFSET = 65_535;
const HASH_BITS = 12;
/** After so many places without a match the search goes in larger steps. */
const SKIP_BITS = 5;

/** Where each hash was seen last, and one more; of the block that is being made alone. */
const seen = new Int32Array(1 << HASH_BITS);

/** The block, or null if it were not shorter than `bytes`. */
export function compress(bytes: Uint8Array): Uint8Array | null {
  const out = new BlockWriter(bytes);
  const lastMatch = bytes.length - LAST_MATCH_DISTANCE;
  seen.fill(0);
  let anchor = 0;
  let misses = 0;
  for (let at = 0; at <= lastMatch;) {
    const hash = Math.imul(wordAt(bytes, at), 0x9e37_79b1) >>> (32 - HASH_BITS);
    const candidate = (seen[hash] ?? 0) - 1;
    seen[hash] = at + 1;
    const isMatch =
      candidate >= 0 &&
      at - candidate <= MAX_OFFSET &&
      wordAt(bytes, candidate) === wordAt(bytes, at);
    if (!isMatch) {
      at += 1 + (misses >>> SKIP_BITS);
      misses += 1;
      continue;
    }
    const length = matchLength(bytes, candidate, at);
    if (!out.sequence(anchor, at, at - candidate, length)) return null;
    at += length;
    anchor = at;
    misses = 0;
  }
  return out.end(anchor);
}

/** The `length` bytes that `block` was made of. Throws `DecodeError` if there are others. */
export function decompress(block: Uint8Array, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  const reader = new BlockReader(block);
  let size = 0;
  for (;;) {
    const token = reader.byte();
    const literals = reader.length(token >>> 4);
    if (literals > length - size) throw new DecodeError('a block is too long');
    bytes.set(reader.take(literals), size);
    size += literals;
    if (reader.isAtEnd) break;
    const offset = reader.byte() | (reader.byte() << 8);
    const match = reader.length(token & 15) + MIN_MATCH;
    if (offset === 0 || offset > size) throw new DecodeError('a block points before itself');
    if (match > length - size) throw new DecodeError('a block is too long');
    // They may overlap: what was copied is copied again.
    const end = size + match;
    for (; size < end; size++) bytes[size] = bytes[size - offset] ?? 0;
  }
  if (size !== length) throw new DecodeError(`a block of ${size} bytes, not ${length}`);
  return bytes;
}

function wordAt(bytes: Uint8Array, at: number): number {
  return (
    (bytes[at] ?? 0) |
    ((bytes[at + 1] ?? 0) << 8) |
    ((bytes[at + 2] ?? 0) << 16) |
    ((bytes[at + 3] ?? 0) << 24)
  );
}

/** How many bytes from `at` on are as those from `candidate` on. */
function matchLength(bytes: Uint8Array, candidate: number, at: number): number {
  const limit = bytes.length - LAST_LITERALS;
  let end = at + MIN_MATCH;
  let from = candidate + MIN_MATCH;
  while (end < limit && bytes[end] === bytes[from]) {
    end += 1;
    from += 1;
  }
  return end - at;
}

class BlockWriter {
  private readonly source: Uint8Array;
  /** A block must be shorter than what it is made of. */
  private readonly out: Uint8Array;
  private size = 0;

  constructor(source: Uint8Array) {
    this.source = source;
    this.out = new Uint8Array(source.length);
  }

  /** Literals from `anchor` to `at`, then a match. False if there is no room. */
  sequence(anchor: number, at: number, offset: number, match: number): boolean {
    if (!this.literals(anchor, at, match - MIN_MATCH)) return false;
    const rest = match - MIN_MATCH;
    if (this.size + 2 + extraBytes(rest) >= this.out.length) return false;
    this.out[this.size] = offset & 0xff;
    this.out[this.size + 1] = offset >>> 8;
    this.size += 2;
    this.extra(rest);
    return true;
  }

  /** The literals from `anchor` on end the block. */
  end(anchor: number): Uint8Array | null {
    if (!this.literals(anchor, this.source.length, 0)) return null;
    return this.out.slice(0, this.size);
  }

  private literals(anchor: number, at: number, rest: number): boolean {
    const count = at - anchor;
    if (this.size + 1 + extraBytes(count) + count >= this.out.length) return false;
    this.out[this.size] = (Math.min(count, 15) << 4) | Math.min(rest, 15);
    this.size += 1;
    this.extra(count);
    this.out.set(this.source.subarray(anchor, at), this.size);
    this.size += count;
    return true;
  }

  private extra(length: number): void {
    if (length < 15) return;
    let rest = length - 15;
    for (; rest >= 255; rest -= 255) this.out[this.size++] = 255;
    this.out[this.size++] = rest;
  }
}

function extraBytes(length: number): number {
  return length < 15 ? 0 : 1 + Math.floor((length - 15) / 255);
}

class BlockReader {
  private readonly block: Uint8Array;
  private at = 0;

  constructor(block: Uint8Array) {
    this.block = block;
  }

  get isAtEnd(): boolean {
    return this.at === this.block.length;
  }

  byte(): number {
    const byte = this.block[this.at];
    if (byte === undefined) throw new DecodeError('a block is cut short');
    this.at += 1;
    return byte;
  }

  /** A length of which `half` is in the token. */
  length(half: number): number {
    let length = half;
    if (half < 15) return length;
    for (;;) {
      const more = this.byte();
      length += more;
      if (more < 255) return length;
    }
  }

  take(count: number): Uint8Array {
    if (count > this.block.length - this.at) throw new DecodeError('a block is cut short');
    const taken = this.block.subarray(this.at, this.at + count);
    this.at += count;
    return taken;
  }
}
