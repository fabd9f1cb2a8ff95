/**
 * The text of an instruction, derived from the instruction table: mnemonic, operand fields and
 * register files are the row's own.
 *
 * The notation is that of GNU objdump with `-M no-aliases`, so that a listing of ours can be
 * compared with one of the usual tools. Symbols are not known here; targets are addresses.
 */

import { decode16, decode32, isCompressed, type Decoded } from './decode.js';
import { csrName } from './csr-names.js';
import { COMPRESSED, type CompressedInstruction, type Instruction } from './table/index.js';

export const INTEGER_REGISTERS: readonly string[] = [
  ...['zero', 'ra', 'sp', 'gp', 'tp', 't0', 't1', 't2', 's0', 's1'],
  ...numbered('a', 0, 7),
  ...numbered('s', 2, 11),
  ...numbered('t', 3, 6),
];
export const FLOAT_REGISTERS: readonly string[] = [
  ...numbered('ft', 0, 7),
  ...numbered('fs', 0, 1),
  ...numbered('fa', 0, 7),
  ...numbered('fs', 2, 11),
  ...numbered('ft', 8, 11),
];
/** Names of the rounding-mode field; 7 stands for the mode in fcsr and is not written. */
export const ROUNDING_MODES: readonly string[] = ['rne', 'rtz', 'rdn', 'rup', 'rmm'];
const DYNAMIC = 7;
const FENCE_TSO = 0x8330000f;

function numbered(prefix: string, first: number, last: number): string[] {
  return Array.from({ length: last - first + 1 }, (_, index) => `${prefix}${first + index}`);
}

/**
 * One instruction as text, such as "addi a0,a0,-1". `bits` holds the instruction in its low 16 or
 * 32 bits; `pc` is its address, which branch targets are relative to. What is not an instruction
 * of this machine is shown as data.
 */
export function disassemble(bits: number, pc: bigint): string {
  const half = bits & 0xffff;
  if (isCompressed(half)) {
    const decoded = decode16(half);
    const form = COMPRESSED.find((candidate) => (half & candidate.mask) === candidate.match);
    if (decoded === null || form === undefined) return `.2byte ${hex(half)}`;
    return compressedText(form, decoded, pc);
  }
  const word = bits >>> 0;
  const decoded = decode32(word);
  return decoded === null ? `.4byte ${hex(word)}` : fullText(decoded, word, pc);
}

/** From what decoding keeps: full forms only, without aq, rl and the sets of a fence. */
export function disassembleDecoded(decoded: Decoded, pc: bigint): string {
  const { name, match } = decoded.instruction;
  return name === 'fence' ? name : fullText(decoded, match, pc);
}

const hex = (value: number | bigint): string => `0x${value.toString(16)}`;
const target = (pc: bigint, offset: number): string => hex(BigInt.asUintN(64, pc + BigInt(offset)));
const line = (name: string, operands: readonly string[]): string =>
  operands.length === 0 ? name : `${name} ${operands.join(',')}`;

/** Whether a row's semantics contain an effect, such as "load" or "jump". */
export function hasEffect({ semantics }: Instruction, kind: string): boolean {
  return semantics.some(
    (stmt) => stmt.kind === 'effect' && (stmt.name === kind || stmt.name.startsWith(`${kind}.`)),
  );
}

/** Memory operands are written as offset(base). */
export function isMemoryAccess(instruction: Instruction): boolean {
  return hasEffect(instruction, 'load') || hasEffect(instruction, 'store');
}

function register(decoded: Decoded, field: 'rd' | 'rs1' | 'rs2'): string {
  const names = decoded.instruction.files[field] === 'f' ? FLOAT_REGISTERS : INTEGER_REGISTERS;
  return names[decoded[field]] ?? '?';
}

function fullText(decoded: Decoded, word: number, pc: bigint): string {
  const { instruction, rm } = decoded;
  if (word === FENCE_TSO) return 'fence.tso';
  const operands = operandsOf(decoded, word, pc);
  if (instruction.rounds && rm !== DYNAMIC) {
    // Conversions that can't round are written without a mode where the field is zero.
    const exact = !readsRounding(instruction) && rm === 0;
    if (!exact) operands.push(ROUNDING_MODES[rm] ?? '?');
  }
  return line(`${instruction.name}${ordering(instruction, word)}`, operands);
}

/** Every widening conversion is exact: float to double, 32-bit integer to double. */
export function readsRounding({ name }: Instruction): boolean {
  return !/^fcvt\.d\.(?:s|wu?)$/.test(name);
}

/** aq and rl of the A extension. */
function ordering(instruction: Instruction, word: number): string {
  if (instruction.extension !== 'A') return '';
  return ['', '.rl', '.aq', '.aqrl'][(word >>> 25) & 3] ?? '';
}

function operandsOf(decoded: Decoded, word: number, pc: bigint): string[] {
  const { instruction, imm } = decoded;
  const [rd, rs1, rs2] = [
    register(decoded, 'rd'),
    register(decoded, 'rs1'),
    register(decoded, 'rs2'),
  ];
  switch (instruction.format) {
    case 'R':
      return registerOperands(instruction, [rd, rs1, rs2]);
    case 'R4':
      return [rd, rs1, rs2, FLOAT_REGISTERS[decoded.rs3] ?? '?'];
    case 'I':
      return isMemoryAccess(instruction) || hasEffect(instruction, 'jump')
        ? [rd, `${imm}(${rs1})`]
        : [rd, rs1, String(imm)];
    case 'shift6':
    case 'shift5':
      return [rd, rs1, hex(imm)];
    case 'S':
      return [rs2, `${imm}(${rs1})`];
    case 'B':
      return [rs1, rs2, target(pc, imm)];
    case 'U':
      return [rd, hex(imm >>> 12)];
    case 'J':
      return [rd, target(pc, imm)];
    case 'csr': {
      const constant = ((word >>> 12) & 4) !== 0;
      return [rd, csrName(imm), constant ? String(decoded.rs1) : rs1];
    }
    case 'none':
      return bareOperands(instruction, word, [rs1, rs2]);
  }
}

function registerOperands(
  instruction: Instruction,
  [rd, rs1, rs2]: readonly [string, string, string],
): string[] {
  const isFixed = (instruction.mask & 0x1f00000) !== 0;
  if (instruction.extension === 'A') return isFixed ? [rd, `(${rs1})`] : [rd, rs2, `(${rs1})`];
  return isFixed || instruction.files.rs2 === '-' ? [rd, rs1] : [rd, rs1, rs2];
}

function bareOperands(
  instruction: Instruction,
  word: number,
  [rs1, rs2]: readonly [string, string],
): string[] {
  if (instruction.name === 'fence') return [fenceSet(word >>> 24), fenceSet(word >>> 20)];
  const { files } = instruction;
  if (files.rs1 === '-') return [];
  return files.rs2 === '-' ? [`(${rs1})`] : [rs1, rs2];
}

/** The set of accesses that a fence orders: device input and output, memory reads and writes. */
function fenceSet(bits: number): string {
  const text = Array.from('iorw')
    .filter((_, index) => ((bits >>> (3 - index)) & 1) !== 0)
    .join('');
  return text === '' ? 'unknown' : text;
}

function compressedText(form: CompressedInstruction, decoded: Decoded, pc: bigint): string {
  const { instruction, imm } = decoded;
  const [rd, rs1, rs2] = [
    register(decoded, 'rd'),
    register(decoded, 'rs1'),
    register(decoded, 'rs2'),
  ];
  switch (instruction.format) {
    case 'I':
      if (isMemoryAccess(instruction)) return line(form.name, [rd, `${imm}(${rs1})`]);
      if (hasEffect(instruction, 'jump')) return line(form.name, [rs1]);
      return line(form.name, form.name === 'c.addi4spn' ? [rd, rs1, `${imm}`] : [rd, `${imm}`]);
    case 'shift6':
      // A shift by zero is the RV128 form of the same instruction, here without effect.
      return imm === 0 ? line(`${form.name}64`, [rd]) : line(form.name, [rd, hex(imm)]);
    case 'S':
      return line(form.name, [rs2, `${imm}(${rs1})`]);
    case 'B':
      return line(form.name, [rs1, target(pc, imm)]);
    case 'U':
      return line(form.name, [rd, hex(imm >>> 12)]);
    case 'J':
      return line(form.name, [target(pc, imm)]);
    case 'R':
      return line(form.name, [rd, rs2]);
    case 'R4':
    case 'shift5':
    case 'csr':
    case 'none':
      return form.name;
  }
}
