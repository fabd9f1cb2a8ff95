/**
 * Small images for loader tests, built field by field so that a test can spoil any of them: an ELF
 * file with two segments and the symbols of HTIF, and a Linux Image with an EFI section table.
 */

import { DEFAULT_RATE, type MachineConfig } from '../../../lib/machine/config.js';

export const MEBIBYTE = 2 ** 20;

export function configOf(memoryBytes = 64 * MEBIBYTE, append = ''): MachineConfig {
  return {
    memoryBytes,
    harts: 1,
    schedule: 'turns',
    append,
    initialRate: DEFAULT_RATE,
    rtcStartSeconds: 0n,
    rngSeed: new Uint8Array(32).fill(7),
    network: null,
    disks: [],
  };
}

export interface ElfOptions {
  readonly entry?: bigint;
  readonly elfClass?: number;
  readonly byteOrder?: number;
  readonly type?: number;
  readonly machine?: number;
  readonly segments?: readonly (readonly [address: bigint, bytes: Uint8Array, memory: bigint])[];
  readonly symbols?: readonly (readonly [name: string, value: bigint])[];
}

const HEADER = 64;
const PROGRAM_HEADER = 56;
const SECTION_HEADER = 64;

/** Header, program headers, segments, symbols, strings, section headers, in this order. */
export function elfOf(options: ElfOptions = {}): Uint8Array {
  const segments = options.segments ?? [
    [0x8000_0000n, new Uint8Array(24).fill(0x13), 24n],
    [0x8000_1000n, new Uint8Array(8).fill(0xaa), 0x100n],
  ];
  const symbols = options.symbols ?? [['tohost', 0x8000_1000n]];
  const strings = `\0${symbols.map(([name]) => `${name}\0`).join('')}`;
  let at = HEADER + segments.length * PROGRAM_HEADER;
  const offsets = segments.map(([, bytes]) => {
    const offset = at;
    at += bytes.length;
    return offset;
  });
  const symbolsAt = at;
  const stringsAt = symbolsAt + (symbols.length + 1) * 24;
  const sectionsAt = stringsAt + strings.length;
  const file = new Uint8Array(sectionsAt + 3 * SECTION_HEADER);
  const view = new DataView(file.buffer);
  file.set([0x7f, 0x45, 0x4c, 0x46, options.elfClass ?? 2, options.byteOrder ?? 1, 1]);
  view.setUint16(16, options.type ?? 2, true);
  view.setUint16(18, options.machine ?? 243, true);
  view.setUint32(20, 1, true);
  view.setBigUint64(24, options.entry ?? 0x8000_0000n, true);
  view.setBigUint64(32, BigInt(HEADER), true);
  view.setBigUint64(40, BigInt(sectionsAt), true);
  view.setUint16(52, HEADER, true);
  view.setUint16(54, PROGRAM_HEADER, true);
  view.setUint16(56, segments.length, true);
  view.setUint16(58, SECTION_HEADER, true);
  view.setUint16(60, 3, true);
  for (const [index, [address, bytes, memory]] of segments.entries()) {
    const header = HEADER + index * PROGRAM_HEADER;
    view.setUint32(header, 1, true);
    const fields = [BigInt(offsets[index] ?? 0), address, address, BigInt(bytes.length), memory];
    for (const [n, field] of fields.entries()) view.setBigUint64(header + 8 + n * 8, field, true);
    file.set(bytes, offsets[index] ?? 0);
  }
  let nameAt = 1;
  for (const [index, [name, value]] of symbols.entries()) {
    const symbol = symbolsAt + (index + 1) * 24;
    view.setUint32(symbol, nameAt, true);
    view.setBigUint64(symbol + 8, value, true);
    nameAt += name.length + 1;
  }
  file.set(new TextEncoder().encode(strings), stringsAt);
  const section = (index: number, type: number, from: number, bytes: number): void => {
    const header = sectionsAt + index * SECTION_HEADER;
    view.setUint32(header + 4, type, true);
    view.setBigUint64(header + 24, BigInt(from), true);
    view.setBigUint64(header + 32, BigInt(bytes), true);
    view.setUint32(header + 40, 2, true);
  };
  section(1, 2, symbolsAt, (symbols.length + 1) * 24);
  section(2, 3, stringsAt, strings.length);
  return file;
}

export interface ImageOptions {
  readonly textOffset?: bigint;
  readonly memoryBytes?: bigint;
  readonly flags?: bigint;
  readonly fileBytes?: number;
  /** End of the last section that the EFI header names; null for no EFI header. */
  readonly sectionsEnd?: number | null;
}

export function linuxImageOf(options: ImageOptions = {}): Uint8Array {
  const file = new Uint8Array(options.fileBytes ?? 0x1000);
  const view = new DataView(file.buffer);
  view.setBigUint64(8, options.textOffset ?? 0x20_0000n, true);
  view.setBigUint64(16, options.memoryBytes ?? 0x2000n, true);
  view.setBigUint64(24, options.flags ?? 0n, true);
  file.set(new TextEncoder().encode('RISCV\0\0\0RSC\x05'), 48);
  const end = options.sectionsEnd === undefined ? file.length : options.sectionsEnd;
  if (end !== null) {
    file.set([0x4d, 0x5a]);
    view.setUint32(60, 64, true);
    file.set([0x50, 0x45], 64);
    view.setUint16(64 + 6, 1, true);
    view.setUint16(64 + 20, 16, true);
    view.setUint32(64 + 24 + 16 + 16, end - 0x200, true);
    view.setUint32(64 + 24 + 16 + 20, 0x200, true);
  }
  return file;
}
