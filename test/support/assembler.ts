/**
 * A small assembler for guest programs in tests, so that they need no toolchain: text in the
 * notation of `lib/riscv/disassemble.ts`, encoded with the match bits of the instruction table.
 *
 * Besides instructions there are labels ("name:"), data (.byte .half .word .dword with numbers or
 * labels, .zero, .align, .org), comments from "#" on, and the aliases listed below. A number may
 * be written as label+offset. Wrong input throws: it is a mistake of the test.
 */

import { csrNumber } from '../../lib/riscv/csr-names.js';
import {
  FLOAT_REGISTERS,
  INTEGER_REGISTERS,
  ROUNDING_MODES,
  hasEffect,
  isMemoryAccess,
  readsRounding,
} from '../../lib/riscv/disassemble.js';
import { INSTRUCTIONS, type Instruction } from '../../lib/riscv/table/index.js';

export interface Assembled {
  readonly base: number;
  readonly bytes: Uint8Array;
  readonly labels: ReadonlyMap<string, bigint>;
  /** Address of a label; an unknown one is a mistake of the test. */
  readonly address: (label: string) => bigint;
}

type Tokens = readonly string[];
interface Place {
  readonly pc: bigint;
  readonly value: (text: string) => bigint;
}

const BY_NAME = new Map(INSTRUCTIONS.map((row) => [row.name, row]));
const DATA_BYTES: Readonly<Record<string, number>> = {
  '.byte': 1,
  '.half': 2,
  '.word': 4,
  '.dword': 8,
};

/** Aliases of the usual assemblers, and `li` for any 64-bit constant. */
const ALIASES: Readonly<Record<string, (args: Tokens) => readonly string[]>> = {
  nop: () => ['addi zero,zero,0'],
  mv: ([rd, rs]) => [`addi ${rd},${rs},0`],
  j: ([to]) => [`jal zero,${to}`],
  jr: ([rs]) => [`jalr zero,0(${rs})`],
  ret: () => ['jalr zero,0(ra)'],
  call: ([to]) => [`jal ra,${to}`],
  beqz: ([rs, to]) => [`beq ${rs},zero,${to}`],
  bnez: ([rs, to]) => [`bne ${rs},zero,${to}`],
  csrr: ([rd, csr]) => [`csrrs ${rd},${csr},zero`],
  csrw: ([csr, rs]) => [`csrrw zero,${csr},${rs}`],
  csrs: ([csr, rs]) => [`csrrs zero,${csr},${rs}`],
  csrc: ([csr, rs]) => [`csrrc zero,${csr},${rs}`],
  la: ([rd, label]) => [`auipc ${rd},%high(${label})`, `addi ${rd},${rd},%low(${label})`],
  li: ([rd, value]) => loadConstant(rd ?? '', BigInt(value ?? '')),
};

export function assemble(source: string, base = 0x8000_0000): Assembled {
  const lines = source.split('\n').flatMap((text) => expand(text));
  const labels = new Map<string, bigint>();
  let at = base;
  for (const text of lines) {
    if (text.endsWith(':')) labels.set(text.slice(0, -1), BigInt(at));
    else at += sizeOf(text, at, base);
  }
  const bytes = new Uint8Array(at - base);
  const value = (text: string): bigint => evaluate(text, labels);
  at = base;
  for (const text of lines.filter((line) => !line.endsWith(':'))) {
    emit(text, { pc: BigInt(at), value }, new DataView(bytes.buffer, at - base));
    at += sizeOf(text, at, base);
  }
  const address = (label: string): bigint => evaluate(label, labels);
  return { base, bytes, labels, address };
}

/** One line without comment as labels, directives and plain instructions. */
function expand(raw: string): string[] {
  const text = raw.replace(/#.*/, '').trim();
  if (text === '') return [];
  const label = /^(\w+):\s*(.*)$/.exec(text);
  if (label !== null) return [`${label[1]}:`, ...expand(label[2] ?? '')];
  const [name = '', ...args] = tokensOf(text);
  const alias = ALIASES[name];
  return alias === undefined ? [text] : alias(args).flatMap(expand);
}

function tokensOf(text: string): string[] {
  return text.split(/[\s,]+/).filter((token) => token !== '');
}

function loadConstant(rd: string, wanted: bigint): string[] {
  const value = BigInt.asIntN(64, wanted);
  const low = BigInt.asIntN(12, value);
  if (value === low) return [`addi ${rd},zero,${value}`];
  if (value === BigInt.asIntN(32, value)) {
    const upper = BigInt.asUintN(20, (value - low) >> 12n);
    return [`lui ${rd},${upper}`, ...(low === 0n ? [] : [`addiw ${rd},${rd},${low}`])];
  }
  const above = loadConstant(rd, (value - low) >> 12n);
  return [...above, `slli ${rd},${rd},12`, ...(low === 0n ? [] : [`addi ${rd},${rd},${low}`])];
}

function sizeOf(text: string, at: number, base: number): number {
  const [name = '', ...args] = tokensOf(text);
  const size = DATA_BYTES[name];
  if (size !== undefined) return size * args.length;
  switch (name) {
    case '.zero':
      return Number(args[0]);
    case '.align':
      return (-at & (Number(args[0]) - 1)) >>> 0;
    case '.org':
      if (base + Number(args[0]) < at) throw new Error(`${text}: already at ${at - base}`);
      return base + Number(args[0]) - at;
    default:
      return 4;
  }
}

function evaluate(text: string, labels: ReadonlyMap<string, bigint>): bigint {
  const sum = /^(\w+)([+-]\w+)$/.exec(text);
  if (sum !== null && labels.has(sum[1] ?? '')) {
    return evaluate(sum[1] ?? '', labels) + signed(sum[2] ?? '');
  }
  const known = labels.get(text);
  return known ?? signed(text);
}

const signed = (text: string): bigint =>
  text.startsWith('-') ? -BigInt(text.slice(1)) : BigInt(text.replace(/^\+/, ''));

function emit(text: string, place: Place, out: DataView): void {
  const [name = '', ...args] = tokensOf(text);
  const size = DATA_BYTES[name];
  if (size !== undefined) {
    for (const [index, argument] of args.entries()) {
      let rest = BigInt.asUintN(64, place.value(argument));
      for (let byte = 0; byte < size; byte++, rest >>= 8n) {
        out.setUint8(index * size + byte, Number(rest & 0xffn));
      }
    }
  } else if (!name.startsWith('.')) {
    out.setUint32(0, encodeText(name, args, place), true);
  }
}

function encodeText(name: string, args: Tokens, place: Place): number {
  const [, stem = name, order = ''] = /^((?:amo\w+|lr|sc)\.[wd])\.?(aqrl|aq|rl|)$/.exec(name) ?? [];
  if (name === 'fence.tso') return 0x8330000f;
  const row = BY_NAME.get(stem);
  if (row === undefined) throw new Error(`no instruction ${name}`);
  try {
    const bits = (order.includes('aq') ? 1 << 26 : 0) | (order.includes('rl') ? 1 << 25 : 0);
    return (row.match | bits | operandBits(row, args, place)) >>> 0;
  } catch (cause) {
    throw new Error(`cannot assemble: ${name} ${args.join(',')}`, { cause });
  }
}

function operandBits(row: Instruction, args: Tokens, place: Place): number {
  const [a = '', b = '', c = '', d = ''] = args;
  const { format } = row;
  const number = (text: string): number => Number(place.value(text));
  const offsetTo = (text: string): number =>
    Number(BigInt.asIntN(64, place.value(text) - place.pc));
  switch (format) {
    case 'R':
      return registerBits(row, args);
    case 'R4':
      return rd(row, a) | rs1(row, b) | rs2(row, c) | (float(d) << 27) | rounding(args[4]);
    case 'I':
      if (isMemoryAccess(row) || hasEffect(row, 'jump')) {
        return rd(row, a) | based(row, b, (offset) => number(offset) << 20);
      }
      return rd(row, a) | rs1(row, b) | (immediate(c, place) << 20);
    case 'shift6':
    case 'shift5':
      return rd(row, a) | rs1(row, b) | (number(c) << 20);
    case 'S':
      return rs2(row, a) | based(row, b, (offset) => storeOffset(number(offset)));
    case 'B':
      return rs1(row, a) | rs2(row, b) | branchOffset(offsetTo(c));
    case 'U':
      return rd(row, a) | (upper(b, place) << 12);
    case 'J':
      return rd(row, a) | jumpOffset(offsetTo(b));
    case 'csr':
      return rd(row, a) | (csr(b) << 20) | ((row.match & 0x4000 ? number(c) : integer(c)) << 15);
    case 'none':
      return bareBits(row, args);
  }
}

function registerBits(row: Instruction, args: Tokens): number {
  const [a = '', b = '', c = ''] = args;
  const isFixed = (row.mask & 0x1f00000) !== 0;
  if (row.extension === 'A') {
    return rd(row, a) | (isFixed ? rs1(row, bare(b)) : rs2(row, b) | rs1(row, bare(c)));
  }
  const fields = rd(row, a) | rs1(row, b) | (isFixed ? 0 : rs2(row, c));
  if (!row.rounds) return fields;
  const mode = args[isFixed ? 2 : 3];
  return fields | (mode === undefined && !readsRounding(row) ? 0 : rounding(mode));
}

function bareBits(row: Instruction, [a, b]: Tokens): number {
  if (row.name === 'fence') return (fenceSet(a ?? 'iorw') << 24) | (fenceSet(b ?? 'iorw') << 20);
  if (a === undefined) return 0;
  return rs1(row, bare(a)) | (b === undefined ? 0 : rs2(row, b));
}

const bare = (text: string): string => text.replace(/[()]/g, '');
const rd = (row: Instruction, text: string): number => register(row.files.rd, text) << 7;
const rs1 = (row: Instruction, text: string): number => register(row.files.rs1, text) << 15;
const rs2 = (row: Instruction, text: string): number => register(row.files.rs2, text) << 20;
const register = (file: 'x' | 'f' | '-', text: string): number =>
  file === 'f' ? float(text) : integer(text);
const integer = (text: string): number => indexOf(INTEGER_REGISTERS, text);
const float = (text: string): number => indexOf(FLOAT_REGISTERS, text);
const rounding = (mode: string | undefined): number =>
  (mode === undefined ? 7 : indexOf(ROUNDING_MODES, mode)) << 12;
const csr = (text: string): number => csrNumber(text) ?? Number(text);
const fenceSet = (text: string): number =>
  Array.from('iorw').reduce((set, letter, index) => set | (isIn(letter, text) ? 8 >> index : 0), 0);
const isIn = (letter: string, set: string): boolean => set !== 'unknown' && set.includes(letter);

function indexOf(names: readonly string[], text: string): number {
  const index = names.indexOf(text);
  if (index < 0) throw new Error(`${text} is not one of ${names.join(' ')}`);
  return index;
}

function based(row: Instruction, text: string, place: (offset: string) => number): number {
  const match = /^([^()]*)\((\w+)\)$/.exec(text);
  if (match === null) throw new Error(`${text} is not offset(base)`);
  return place(match[1] || '0') | rs1(row, match[2] ?? '');
}

/** %high and %low of a label, relative to the auipc that comes one instruction earlier. */
function upper(text: string, place: Place): number {
  const label = /^%high\((.*)\)$/.exec(text)?.[1];
  if (label === undefined) return Number(place.value(text));
  return Number(BigInt.asIntN(32, place.value(label) - place.pc + 0x800n) >> 12n);
}

function immediate(text: string, place: Place): number {
  const label = /^%low\((.*)\)$/.exec(text)?.[1];
  if (label === undefined) return Number(place.value(text));
  return Number(BigInt.asIntN(12, place.value(label) - place.pc + 4n));
}

const storeOffset = (imm: number): number => ((imm >> 5) << 25) | ((imm & 31) << 7);
const branchOffset = (imm: number): number =>
  ((imm >> 12) << 31) | ((imm & 0x7e0) << 20) | ((imm & 30) << 7) | ((imm & 0x800) >> 4);
const jumpOffset = (imm: number): number =>
  ((imm >> 20) << 31) | ((imm & 0x7fe) << 20) | ((imm & 0x800) << 9) | (imm & 0xff000);
