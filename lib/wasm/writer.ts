/**
 * A growing byte buffer with the encodings of the WebAssembly binary format: LEB128, names,
 * sections. It knows nothing of instructions.
 */

export class Writer {
  private bytes = new Uint8Array(256);
  length = 0;

  u8(value: number): void {
    if (this.length === this.bytes.length) this.reserve(1);
    this.bytes[this.length++] = value;
  }

  private reserve(count: number): void {
    if (this.length + count <= this.bytes.length) return;
    const grown = new Uint8Array(Math.max(this.bytes.length * 2, this.length + count));
    grown.set(this.bytes);
    this.bytes = grown;
  }

  /** Unsigned LEB128 of a value below 2^32. */
  u32(value: number): void {
    let rest = value >>> 0;
    while (rest >= 0x80) {
      this.u8((rest & 0x7f) | 0x80);
      rest >>>= 7;
    }
    this.u8(rest);
  }

  /** Signed LEB128 of a 32-bit value. */
  s32(value: number): void {
    let rest = value | 0;
    for (;;) {
      const low = rest & 0x7f;
      rest >>= 7;
      if ((rest === 0 && (low & 0x40) === 0) || (rest === -1 && (low & 0x40) !== 0)) {
        this.u8(low);
        return;
      }
      this.u8(low | 0x80);
    }
  }

  /** Signed LEB128 of a 64-bit value; a number must be an exact integer. */
  s64(value: bigint | number): void {
    const isNumber = typeof value === 'number';
    if (isNumber && value === (value | 0)) this.s32(value);
    else if (isNumber && Number.isSafeInteger(value)) this.sSafe(value);
    else this.sBig(BigInt.asIntN(64, BigInt(value)));
  }

  private sSafe(value: number): void {
    let rest = value;
    while (rest < -64 || rest > 63) {
      const above = Math.floor(rest / 128);
      this.u8((rest - above * 128) | 0x80);
      rest = above;
    }
    this.u8(rest & 0x7f);
  }

  private sBig(value: bigint): void {
    let rest = value;
    while (rest < -64n || rest > 63n) {
      this.u8(Number(rest & 0x7fn) | 0x80);
      rest >>= 7n;
    }
    this.u8(Number(rest & 0x7fn));
  }

  f64(value: number): void {
    const view = new DataView(new ArrayBuffer(8));
    view.setFloat64(0, value, true);
    for (let index = 0; index < 8; index++) this.u8(view.getUint8(index));
  }

  /** Bytes `from` to `to` of `source`; mostly few, which a loop is faster for than `set`. */
  copy(source: Uint8Array, from: number, to: number): void {
    this.reserve(to - from);
    for (let index = from; index < to; index++) this.bytes[this.length++] = source[index] ?? 0;
  }

  raw(values: ArrayLike<number>): void {
    this.reserve(values.length);
    this.bytes.set(values, this.length);
    this.length += values.length;
  }

  /** A name: length in bytes, then ASCII. Names here are ours, so ASCII is asserted by the type. */
  name(text: string): void {
    this.u32(text.length);
    for (let index = 0; index < text.length; index++) this.u8(text.charCodeAt(index));
  }

  section(id: number, fill: (body: Writer) => void): void {
    const body = new Writer();
    fill(body);
    this.u8(id);
    this.u32(body.length);
    this.raw(body.finish());
  }

  finish(): Uint8Array {
    return this.bytes.subarray(0, this.length);
  }
}
