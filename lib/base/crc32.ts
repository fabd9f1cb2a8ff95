/**
 * CRC-32 as in IEEE 802.3, zip and PNG: reflected polynomial 0xEDB88320, all ones in, inverted
 * out. It finds every burst error of up to 32 bits, hence every single flipped bit.
 *
 * Eight bytes a round from eight tables ("slicing by 8"): table `n` holds the remainder of a byte
 * that `n` zero bytes follow, so the eight lookups of a round are independent of each other.
 */

const POLYNOMIAL = 0xedb88320;

/** Remainders of single bytes. */
function makeTable(): Int32Array {
  const table = new Int32Array(256);
  for (let byte = 0; byte < 256; byte++) {
    let remainder = byte;
    for (let bit = 0; bit < 8; bit++) {
      remainder = (remainder >>> 1) ^ (remainder & 1 ? POLYNOMIAL : 0);
    }
    table[byte] = remainder;
  }
  return table;
}

/** The table of bytes that one more zero byte follows. */
function withZero(previous: Int32Array): Int32Array {
  return previous.map((entry) => (entry >>> 8) ^ (T0[entry & 0xff] ?? 0));
}

const T0 = makeTable();
const T1 = withZero(T0);
const T2 = withZero(T1);
const T3 = withZero(T2);
const T4 = withZero(T3);
const T5 = withZero(T4);
const T6 = withZero(T5);
const T7 = withZero(T6);

/**
 * The CRC-32 of `bytes`, unsigned. `previous` is the CRC of what came before, so that
 * `crc32(b, crc32(a))` is the CRC of both in a row.
 */
export function crc32(bytes: Uint8Array, previous = 0): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const rounds = bytes.length - (bytes.length % 8);
  let crc = ~previous;
  for (let at = 0; at < rounds; at += 8) {
    const low = view.getInt32(at, true) ^ crc;
    const high = view.getInt32(at + 4, true);
    crc =
      (T7[low & 0xff] ?? 0) ^
      (T6[(low >>> 8) & 0xff] ?? 0) ^
      (T5[(low >>> 16) & 0xff] ?? 0) ^
      (T4[low >>> 24] ?? 0) ^
      (T3[high & 0xff] ?? 0) ^
      (T2[(high >>> 8) & 0xff] ?? 0) ^
      (T1[(high >>> 16) & 0xff] ?? 0) ^
      (T0[high >>> 24] ?? 0);
  }
  for (let at = rounds; at < bytes.length; at++) {
    crc = (crc >>> 8) ^ (T0[(crc ^ (bytes[at] ?? 0)) & 0xff] ?? 0);
  }
  return ~crc >>> 0;
}
