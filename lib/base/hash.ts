/**
 * A fast 64-bit hash over bytes, for comparing what two replicas computed.
 *
 * It is MurmurHash3 in its 128-bit variant for 32-bit machines, cut to 64 bits: all arithmetic is
 * on 32-bit integers, so it is exact and quick in every JavaScript engine, and words are read
 * little-endian on every host. The result depends on the bytes alone, never on how they were cut
 * into updates. The state can be saved and resumed, since an output stream's digest goes on where
 * a snapshot was taken.
 *
 * It finds accidents, not attacks: whoever can choose the bytes can make two inputs collide. What
 * must withstand that (the log's chain, image digests) uses SHA-256.
 */

import { assert } from './assert.js';

const STRIPE_BYTES = 16;
/** Four lanes, the count of bytes as two halves, and the bytes that wait for a whole stripe. */
export const HASH_STATE_BYTES = 4 * 4 + 8 + STRIPE_BYTES;

const C1 = 0x239b961b;
const C2 = 0xab0e9789;
const C3 = 0x38b34ae5;
const C4 = 0xa1e38b93;

/** Incremental hash; `digest` may be asked for at any time and changes nothing. */
export class Hash64 {
  private h1: number;
  private h2: number;
  private h3: number;
  private h4: number;
  private totalBytes = 0;
  private readonly tail = new Uint8Array(STRIPE_BYTES);
  private readonly tailView = new DataView(this.tail.buffer);

  /** `seed` is a 32-bit number; different seeds give unrelated hashes. */
  constructor(seed = 0) {
    this.h1 = this.h2 = this.h3 = this.h4 = seed | 0;
  }

  update(bytes: Uint8Array): void {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const waiting = this.totalBytes % STRIPE_BYTES;
    this.totalBytes += bytes.length;
    let at = 0;
    if (waiting > 0) {
      at = Math.min(STRIPE_BYTES - waiting, bytes.length);
      this.tail.set(bytes.subarray(0, at), waiting);
      if (waiting + at < STRIPE_BYTES) return;
      this.stripes(this.tailView, 0, STRIPE_BYTES);
    }
    const whole = at + Math.floor((bytes.length - at) / STRIPE_BYTES) * STRIPE_BYTES;
    this.stripes(view, at, whole);
    if (whole < bytes.length) this.tail.set(bytes.subarray(whole), 0);
  }

  /** Takes the stripes in `[from, to)`; the hot loop. */
  private stripes(view: DataView, from: number, to: number): void {
    let h1 = this.h1;
    let h2 = this.h2;
    let h3 = this.h3;
    let h4 = this.h4;
    for (let at = from; at < to; at += STRIPE_BYTES) {
      let k = Math.imul(view.getInt32(at, true), C1);
      h1 ^= Math.imul((k << 15) | (k >>> 17), C2);
      h1 = (((h1 << 19) | (h1 >>> 13)) + h2) | 0;
      h1 = (Math.imul(h1, 5) + 0x561ccd1b) | 0;

      k = Math.imul(view.getInt32(at + 4, true), C2);
      h2 ^= Math.imul((k << 16) | (k >>> 16), C3);
      h2 = (((h2 << 17) | (h2 >>> 15)) + h3) | 0;
      h2 = (Math.imul(h2, 5) + 0x0bcaa747) | 0;

      k = Math.imul(view.getInt32(at + 8, true), C3);
      h3 ^= Math.imul((k << 17) | (k >>> 15), C4);
      h3 = (((h3 << 15) | (h3 >>> 17)) + h4) | 0;
      h3 = (Math.imul(h3, 5) + 0x96cd1c35) | 0;

      k = Math.imul(view.getInt32(at + 12, true), C4);
      h4 ^= Math.imul((k << 18) | (k >>> 14), C1);
      h4 = (((h4 << 13) | (h4 >>> 19)) + h1) | 0;
      h4 = (Math.imul(h4, 5) + 0x32ac3b17) | 0;
    }
    this.h1 = h1;
    this.h2 = h2;
    this.h3 = h3;
    this.h4 = h4;
  }

  /** The full 128 bits as four unsigned 32-bit words, lowest first. */
  digestWords(): readonly [number, number, number, number] {
    const waiting = this.totalBytes % STRIPE_BYTES;
    const rest = new Uint8Array(STRIPE_BYTES);
    rest.set(this.tail.subarray(0, waiting));
    const view = new DataView(rest.buffer);
    // A missing byte counts as 0, and a word of 0 leaves its lane as it is.
    const k1 = Math.imul(view.getInt32(0, true), C1);
    const k2 = Math.imul(view.getInt32(4, true), C2);
    const k3 = Math.imul(view.getInt32(8, true), C3);
    const k4 = Math.imul(view.getInt32(12, true), C4);
    let h1 = this.h1 ^ Math.imul((k1 << 15) | (k1 >>> 17), C2) ^ this.totalBytes;
    let h2 = this.h2 ^ Math.imul((k2 << 16) | (k2 >>> 16), C3) ^ this.totalBytes;
    let h3 = this.h3 ^ Math.imul((k3 << 17) | (k3 >>> 15), C4) ^ this.totalBytes;
    let h4 = this.h4 ^ Math.imul((k4 << 18) | (k4 >>> 14), C1) ^ this.totalBytes;
    h1 = (h1 + h2 + h3 + h4) | 0;
    h2 = avalanche((h2 + h1) | 0);
    h3 = avalanche((h3 + h1) | 0);
    h4 = avalanche((h4 + h1) | 0);
    h1 = (avalanche(h1) + h2 + h3 + h4) | 0;
    return [h1 >>> 0, (h2 + h1) >>> 0, (h3 + h1) >>> 0, (h4 + h1) >>> 0];
  }

  /** 64 bits over all bytes so far. */
  digest(): bigint {
    const [low, high] = this.digestWords();
    return (BigInt(high) << 32n) | BigInt(low);
  }

  /** The state, `HASH_STATE_BYTES` long; `Hash64.resume` goes on from it. */
  save(): Uint8Array {
    const state = new Uint8Array(HASH_STATE_BYTES);
    const view = new DataView(state.buffer);
    [this.h1, this.h2, this.h3, this.h4].forEach((h, lane) => view.setInt32(lane * 4, h, true));
    view.setBigUint64(16, BigInt(this.totalBytes), true);
    // Bytes of stripes already taken are left out, so equal histories have equal states.
    state.set(this.tail.subarray(0, this.totalBytes % STRIPE_BYTES), 24);
    return state;
  }

  static resume(state: Uint8Array): Hash64 {
    assert(state.length === HASH_STATE_BYTES, `hash state of ${state.length} bytes`);
    const view = new DataView(state.buffer, state.byteOffset, state.byteLength);
    const hash = new Hash64();
    hash.h1 = view.getInt32(0, true);
    hash.h2 = view.getInt32(4, true);
    hash.h3 = view.getInt32(8, true);
    hash.h4 = view.getInt32(12, true);
    const total = view.getBigUint64(16, true);
    assert(total <= BigInt(Number.MAX_SAFE_INTEGER), `hash state over ${total} bytes`);
    hash.totalBytes = Number(total);
    hash.tail.set(state.subarray(24));
    return hash;
  }
}

/** The hash of one piece of bytes. */
export function hash64(bytes: Uint8Array): bigint {
  const hash = new Hash64();
  hash.update(bytes);
  return hash.digest();
}

/** Every bit of the result depends on every bit of `h`. */
function avalanche(h: number): number {
  let mixed = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return mixed ^ (mixed >>> 16);
}
