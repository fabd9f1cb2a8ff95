/**
 * An assembler for the few programs of the tests that are not random: 32-bit instructions and
 * labels, on top of the tests' own encoder, so that no cross compiler is needed to run them.
 */

import { bType, iType, jal, rType, sType, uType } from './encode.js';

export class Assembler {
  private readonly words: number[] = [];
  private readonly labels = new Map<string, number>();
  private readonly fixups: { at: number; label: string; encode: (offset: number) => number }[] = [];
  private readonly base: number;

  constructor(base: number) {
    this.base = base;
  }

  word(value: number): void {
    this.words.push(value >>> 0);
  }

  label(name: string): void {
    this.labels.set(name, this.words.length);
  }

  addressOf(name: string): number {
    const index = this.labels.get(name);
    if (index === undefined) throw new RangeError(`no label ${name}`);
    return this.base + 4 * index;
  }

  addi(rd: number, rs1: number, imm: number): void {
    this.word(iType(0x13, 0, rd, rs1, imm));
  }

  /** A constant below 2^32, sign-extended from 32 bits where bit 31 is set, unless `zero`. */
  li(rd: number, value: number, zero = false): void {
    const low = (value << 20) >> 20;
    this.word(uType(0x37, rd, ((value - low) >>> 12) & 0xfffff));
    this.word(iType(0x1b, 0, rd, rd, low)); // addiw
    if (zero) {
      this.word(iType(0x13, 1, rd, rd, 32));
      this.word(iType(0x13, 5, rd, rd, 32));
    }
  }

  ld(rd: number, offset: number, base: number): void {
    this.word(iType(0x03, 3, rd, base, offset));
  }

  sd(rs2: number, offset: number, base: number): void {
    this.word(sType(0x23, 3, base, rs2, offset));
  }

  fld(rd: number, offset: number, base: number): void {
    this.word(iType(0x07, 3, rd, base, offset));
  }

  fsd(rs2: number, offset: number, base: number): void {
    this.word(sType(0x27, 3, base, rs2, offset));
  }

  add(rd: number, rs1: number, rs2: number): void {
    this.word(rType(0x33, 0, 0, rd, rs1, rs2));
  }

  xor(rd: number, rs1: number, rs2: number): void {
    this.word(rType(0x33, 4, 0, rd, rs1, rs2));
  }

  mul(rd: number, rs1: number, rs2: number): void {
    this.word(rType(0x33, 0, 1, rd, rs1, rs2));
  }

  slli(rd: number, rs1: number, amount: number): void {
    this.word(iType(0x13, 1, rd, rs1, amount));
  }

  srli(rd: number, rs1: number, amount: number): void {
    this.word(iType(0x13, 5, rd, rs1, amount));
  }

  csrr(rd: number, csr: number): void {
    this.word(iType(0x73, 2, rd, 0, csr));
  }

  csrw(csr: number, rs1: number): void {
    this.word(iType(0x73, 1, 0, rs1, csr));
  }

  csrs(csr: number, rs1: number): void {
    this.word(iType(0x73, 2, 0, rs1, csr));
  }

  /** Exchanges a register with a CSR. */
  csrrw(rd: number, csr: number, rs1: number): void {
    this.word(iType(0x73, 1, rd, rs1, csr));
  }

  mret(): void {
    this.word(0x30200073);
  }

  beq(rs1: number, rs2: number, label: string): void {
    this.later(label, (offset) => bType(0, rs1, rs2, offset));
  }

  bne(rs1: number, rs2: number, label: string): void {
    this.later(label, (offset) => bType(1, rs1, rs2, offset));
  }

  j(label: string): void {
    this.later(label, (offset) => jal(0, offset));
  }

  finish(): Uint8Array {
    for (const { at, label, encode } of this.fixups) {
      this.words[at] = encode(this.addressOf(label) - (this.base + 4 * at));
    }
    const bytes = Buffer.alloc(4 * this.words.length);
    this.words.forEach((word, index) => bytes.writeUInt32LE(word, 4 * index));
    return bytes;
  }

  private later(label: string, encode: (offset: number) => number): void {
    this.fixups.push({ at: this.words.length, label, encode });
    this.words.push(0);
  }
}
