/**
 * Reads an ELF file as far as a loader needs it: 64-bit little-endian RISC-V, segments by physical
 * address, the entry, and a few symbols by which bare-metal tests talk to their host.
 *
 * The file is hostile: every offset and count is checked against the file's length before use, and
 * whatever is wrong is a `BAD_IMAGE` with the reason. Relocation is not done.
 */

import { LockstepError } from '../base/error.js';

const HEADER_BYTES = 64;
const PROGRAM_HEADER_BYTES = 56;
const SECTION_HEADER_BYTES = 64;
const SYMBOL_BYTES = 24;
const CLASS_64 = 2;
const LITTLE_ENDIAN = 1;
const TYPE_EXECUTABLE = 2;
const TYPE_SHARED = 3;
const MACHINE_RISCV = 243;
const SEGMENT_LOAD = 1;
const SECTION_SYMBOLS = 2;

/** Symbols worth knowing: HTIF of the RISC-V tests, and the bounds of their signature. */
export const KNOWN_SYMBOLS = ['tohost', 'fromhost', 'begin_signature', 'end_signature'] as const;
export type KnownSymbol = (typeof KNOWN_SYMBOLS)[number];

export interface ElfSegment {
  readonly address: bigint;
  /** What the file holds; memory up to `memoryBytes` after it is zero. */
  readonly bytes: Uint8Array;
  readonly memoryBytes: bigint;
}

export interface ElfFile {
  readonly entry: bigint;
  readonly segments: readonly ElfSegment[];
  readonly symbols: Readonly<Partial<Record<KnownSymbol, bigint>>>;
}

/** True if the file says of itself that it is ELF. */
export function isElf(bytes: Uint8Array): boolean {
  return bytes[0] === 0x7f && bytes[1] === 0x45 && bytes[2] === 0x4c && bytes[3] === 0x46;
}

/** `what` names the file in messages, such as "kernel". */
export function parseElf(bytes: Uint8Array, what: string): ElfFile {
  const file = new ElfReader(bytes, what);
  if (!isElf(bytes)) throw file.bad('is not an ELF file');
  if (bytes.length < HEADER_BYTES) throw file.bad('is truncated inside the ELF header');
  if (bytes[4] !== CLASS_64) throw file.bad('is a 32-bit ELF file; this machine is RV64');
  if (bytes[5] !== LITTLE_ENDIAN) throw file.bad('is a big-endian ELF file');
  const type = file.u16(16);
  const machine = file.u16(18);
  if (machine !== MACHINE_RISCV) throw file.bad(`is not for RISC-V (ELF machine ${machine})`);
  if (type !== TYPE_EXECUTABLE && type !== TYPE_SHARED) {
    throw file.bad(`is not an executable (ELF type ${type}); link it first`);
  }
  const segments = readSegments(file);
  return { entry: file.u64(24), segments, symbols: readSymbols(file) };
}

function readSegments(file: ElfReader): readonly ElfSegment[] {
  const table = file.table(32, 54, PROGRAM_HEADER_BYTES, 'program headers');
  const segments: ElfSegment[] = [];
  for (let index = 0; index < table.count; index++) {
    const at = table.at + index * PROGRAM_HEADER_BYTES;
    if (file.u32(at) !== SEGMENT_LOAD) continue;
    const memoryBytes = file.u64(at + 40);
    if (memoryBytes === 0n) continue;
    const fileBytes = file.u64(at + 32);
    if (fileBytes > memoryBytes) throw file.bad(`has segment ${index} larger than its memory`);
    segments.push({
      address: file.u64(at + 24),
      bytes: file.slice(file.u64(at + 8), fileBytes, `segment ${index}`),
      memoryBytes,
    });
  }
  if (segments.length === 0) throw file.bad('has nothing to load');
  return segments;
}

function readSymbols(file: ElfReader): Partial<Record<KnownSymbol, bigint>> {
  const found: Partial<Record<KnownSymbol, bigint>> = {};
  const table = file.table(40, 58, SECTION_HEADER_BYTES, 'section headers');
  for (let index = 0; index < table.count; index++) {
    const at = table.at + index * SECTION_HEADER_BYTES;
    if (file.u32(at + 4) !== SECTION_SYMBOLS) continue;
    const symbols = file.section(at, 'the symbol table');
    const names = file.u32(at + 40);
    if (names >= table.count) throw file.bad('has a symbol table without names');
    const strings = file.section(table.at + names * SECTION_HEADER_BYTES, 'the string table');
    collectSymbols(symbols, strings, found);
  }
  return found;
}

function collectSymbols(
  symbols: Uint8Array,
  strings: Uint8Array,
  found: Partial<Record<KnownSymbol, bigint>>,
): void {
  const view = new DataView(symbols.buffer, symbols.byteOffset, symbols.length);
  for (let at = 0; at + SYMBOL_BYTES <= symbols.length; at += SYMBOL_BYTES) {
    const name = view.getUint32(at, true);
    for (const known of KNOWN_SYMBOLS) {
      if (matches(strings, name, known)) found[known] = view.getBigUint64(at + 8, true);
    }
  }
}

/** True if the zero-ended name at `at` is `text`. */
function matches(strings: Uint8Array, at: number, text: string): boolean {
  for (let index = 0; index < text.length; index++) {
    if (strings[at + index] !== text.charCodeAt(index)) return false;
  }
  return strings[at + text.length] === 0;
}

/** Checked little-endian access to the file. */
class ElfReader {
  private readonly bytes: Uint8Array;
  private readonly view: DataView;
  private readonly what: string;

  constructor(bytes: Uint8Array, what: string) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    this.what = what;
  }

  bad(problem: string): LockstepError {
    return new LockstepError('BAD_IMAGE', `the ${this.what} ${problem}`);
  }

  u16(at: number): number {
    return this.view.getUint16(at, true);
  }
  u32(at: number): number {
    return this.view.getUint32(at, true);
  }
  u64(at: number): bigint {
    return this.view.getBigUint64(at, true);
  }

  slice(offset: bigint, length: bigint, part: string): Uint8Array {
    if (offset + length > BigInt(this.bytes.length)) {
      throw this.bad(
        `is truncated: ${part} ends at byte ${offset + length}, the file has ${this.bytes.length}`,
      );
    }
    return this.bytes.subarray(Number(offset), Number(offset + length));
  }

  /** What the section header at `at` points to. */
  section(at: number, part: string): Uint8Array {
    return this.slice(this.u64(at + 24), this.u64(at + 32), part);
  }

  /** A header table: its file offset stands at `offsetAt`, entry size and count at `sizeAt`. */
  table(
    offsetAt: number,
    sizeAt: number,
    entryBytes: number,
    part: string,
  ): { readonly at: number; readonly count: number } {
    const count = this.u16(sizeAt + 2);
    if (count === 0) return { at: 0, count: 0 };
    if (this.u16(sizeAt) !== entryBytes) throw this.bad(`has ${part} of an unknown size`);
    const offset = this.u64(offsetAt);
    this.slice(offset, BigInt(count * entryBytes), part);
    return { at: Number(offset), count };
  }
}
