/**
 * SHA-256 (FIPS 180-4) for the layers that may not use Node. It names machines and images; the
 * log's hash chain, which is hot, takes the host's implementation through a port.
 */

const ROUND = new Uint32Array(64);
const INITIAL = new Uint32Array(8);

/** The constants are fractional parts of roots of the first primes (FIPS 180-4, 4.2.2, 5.3.3). */
function fillConstants(): void {
  let found = 0;
  for (let candidate = 2n; found < 64; candidate++) {
    let prime = true;
    for (let divisor = 2n; divisor * divisor <= candidate; divisor++) {
      if (candidate % divisor === 0n) prime = false;
    }
    if (!prime) continue;
    ROUND[found] = Number(root(candidate << 96n, 3n) & 0xffffffffn);
    if (found < 8) INITIAL[found] = Number(root(candidate << 64n, 2n) & 0xffffffffn);
    found++;
  }
}

/** Largest r with r^power <= value, by bisection. */
function root(value: bigint, power: bigint): bigint {
  let low = 0n;
  let high = 1n << 64n;
  while (high - low > 1n) {
    const middle = (low + high) >> 1n;
    if (middle ** power <= value) low = middle;
    else high = middle;
  }
  return low;
}

fillConstants();

const rotate = (value: number, bits: number): number => (value >>> bits) | (value << (32 - bits));

export class Sha256 {
  private readonly state = Uint32Array.from(INITIAL);
  private readonly schedule = new Uint32Array(64);
  private readonly pending = new Uint8Array(64);
  private pendingBytes = 0;
  private total = 0;

  update(bytes: Uint8Array): this {
    this.total += bytes.length;
    let at = 0;
    while (at < bytes.length) {
      const take = Math.min(64 - this.pendingBytes, bytes.length - at);
      this.pending.set(bytes.subarray(at, at + take), this.pendingBytes);
      this.pendingBytes += take;
      at += take;
      if (this.pendingBytes === 64) this.compress();
    }
    return this;
  }

  /** The digest as 64 hexadecimal digits; the object is spent. */
  hex(): string {
    const bits = BigInt(this.total) * 8n;
    this.update(Uint8Array.of(0x80));
    while (this.pendingBytes !== 56) this.update(Uint8Array.of(0));
    const tail = new Uint8Array(8);
    new DataView(tail.buffer).setBigUint64(0, bits);
    this.update(tail);
    return Array.from(this.state, (word) => word.toString(16).padStart(8, '0')).join('');
  }

  private compress(): void {
    const { schedule: w } = this;
    const view = new DataView(this.pending.buffer);
    for (let index = 0; index < 16; index++) w[index] = view.getUint32(index * 4);
    for (let index = 16; index < 64; index++) {
      const early = w[index - 15] ?? 0;
      const late = w[index - 2] ?? 0;
      const small0 = rotate(early, 7) ^ rotate(early, 18) ^ (early >>> 3);
      const small1 = rotate(late, 17) ^ rotate(late, 19) ^ (late >>> 10);
      w[index] = ((w[index - 16] ?? 0) + small0 + (w[index - 7] ?? 0) + small1) | 0;
    }
    this.rounds(w);
    this.pendingBytes = 0;
  }

  private rounds(w: Uint32Array): void {
    const s = this.state;
    let [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0] = s;
    for (let index = 0; index < 64; index++) {
      const big1 = rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25);
      const choose = (e & f) ^ (~e & g);
      const first = (h + big1 + choose + (ROUND[index] ?? 0) + (w[index] ?? 0)) | 0;
      const big0 = rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22);
      const majority = (a & b) ^ (a & c) ^ (b & c);
      h = g;
      g = f;
      f = e;
      e = (d + first) | 0;
      d = c;
      c = b;
      b = a;
      a = (first + big0 + majority) | 0;
    }
    for (const [index, value] of [a, b, c, d, e, f, g, h].entries()) {
      s[index] = ((s[index] ?? 0) + value) | 0;
    }
  }
}
