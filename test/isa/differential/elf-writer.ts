/**
 * Writes the smallest ELF that a loader and a suite's runner accept: one segment, and a symbol
 * table for `begin_signature` and `end_signature` (ELF-64 object file format, version 1.5).
 */

const HEADER_BYTES = 64;
const SEGMENT_HEADER_BYTES = 56;
const SECTION_HEADER_BYTES = 64;
const SYMBOL_BYTES = 24;
const PAGE_BYTES = 0x1000;
const EM_RISCV = 243;

export interface ElfProgram {
  readonly entry: bigint;
  readonly address: bigint;
  /** The segment's bytes; behind them memory is zero up to `memoryBytes`. */
  readonly bytes: Uint8Array;
  readonly memoryBytes: number;
  readonly symbols: Readonly<Record<string, bigint>>;
}

export function writeElf(program: ElfProgram): Uint8Array {
  const names = Object.entries(program.symbols);
  const strings = Buffer.from(`\0${names.map(([name]) => `${name}\0`).join('')}`);
  const symbols = Buffer.alloc(SYMBOL_BYTES * (names.length + 1));
  let nameOffset = 1;
  names.forEach(([name, value], index) => {
    const at = SYMBOL_BYTES * (index + 1);
    symbols.writeUInt32LE(nameOffset, at);
    symbols[at + 4] = 0x10; // global
    symbols.writeUInt16LE(0xfff1, at + 6); // absolute
    symbols.writeBigUInt64LE(value, at + 8);
    nameOffset += name.length + 1;
  });
  const sectionNames = Buffer.from('\0.symtab\0.strtab\0.shstrtab\0');
  const contentAt = PAGE_BYTES;
  const symbolsAt = (contentAt + program.bytes.length + 7) & ~7;
  const stringsAt = symbolsAt + symbols.length;
  const sectionNamesAt = stringsAt + strings.length;
  const sectionsAt = (sectionNamesAt + sectionNames.length + 7) & ~7;
  const file = Buffer.alloc(sectionsAt + 4 * SECTION_HEADER_BYTES);
  writeHeader(file, program.entry, sectionsAt);
  writeSegment(file, program, contentAt);
  file.set(program.bytes, contentAt);
  file.set(symbols, symbolsAt);
  file.set(strings, stringsAt);
  file.set(sectionNames, sectionNamesAt);
  const section = (index: number, fields: SectionFields): void =>
    writeSection(file, sectionsAt + index * SECTION_HEADER_BYTES, fields);
  // Links: the symbol table's strings are section 2; its first global symbol is number 1.
  section(1, { name: 1, type: 2, at: symbolsAt, size: symbols.length, link: 2, info: 1 });
  section(2, { name: 9, type: 3, at: stringsAt, size: strings.length });
  section(3, { name: 17, type: 3, at: sectionNamesAt, size: sectionNames.length });
  return file;
}

function writeHeader(file: Buffer, entry: bigint, sectionsAt: number): void {
  file.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  file.writeUInt16LE(2, 16); // executable
  file.writeUInt16LE(EM_RISCV, 18);
  file.writeUInt32LE(1, 20);
  file.writeBigUInt64LE(entry, 24);
  file.writeBigUInt64LE(BigInt(HEADER_BYTES), 32);
  file.writeBigUInt64LE(BigInt(sectionsAt), 40);
  file.writeUInt32LE(0x5, 48); // RVC, double-precision ABI
  file.writeUInt16LE(HEADER_BYTES, 52);
  file.writeUInt16LE(SEGMENT_HEADER_BYTES, 54);
  file.writeUInt16LE(1, 56);
  file.writeUInt16LE(SECTION_HEADER_BYTES, 58);
  file.writeUInt16LE(4, 60);
  file.writeUInt16LE(3, 62);
}

function writeSegment(file: Buffer, program: ElfProgram, contentAt: number): void {
  const at = HEADER_BYTES;
  file.writeUInt32LE(1, at); // load
  file.writeUInt32LE(7, at + 4); // read, write, execute
  file.writeBigUInt64LE(BigInt(contentAt), at + 8);
  file.writeBigUInt64LE(program.address, at + 16);
  file.writeBigUInt64LE(program.address, at + 24);
  file.writeBigUInt64LE(BigInt(program.bytes.length), at + 32);
  file.writeBigUInt64LE(BigInt(program.memoryBytes), at + 40);
  file.writeBigUInt64LE(BigInt(PAGE_BYTES), at + 48);
}

interface SectionFields {
  readonly name: number;
  readonly type: number;
  readonly at: number;
  readonly size: number;
  readonly link?: number;
  readonly info?: number;
}

function writeSection(file: Buffer, at: number, fields: SectionFields): void {
  file.writeUInt32LE(fields.name, at);
  file.writeUInt32LE(fields.type, at + 4);
  file.writeBigUInt64LE(BigInt(fields.at), at + 24);
  file.writeBigUInt64LE(BigInt(fields.size), at + 32);
  file.writeUInt32LE(fields.link ?? 0, at + 40);
  file.writeUInt32LE(fields.info ?? 0, at + 44);
  file.writeBigUInt64LE(1n, at + 48);
  file.writeBigUInt64LE(fields.type === 2 ? BigInt(SYMBOL_BYTES) : 0n, at + 56);
}
