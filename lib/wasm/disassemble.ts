/**
 * Text for the modules that `module.ts` builds, close to the WebAssembly text format: one
 * instruction a line, nested by its blocks, locals by number, functions by name.
 *
 * For people who look at what was generated; it reads only what the emitter writes, and says
 * `DecodeError` to anything else. Names of instructions come from the constructors in `ops.ts`.
 */

import { DecodeError } from '../base/bytes.js';
import { local, type Expr, type Stmt } from './ir.js';
import { VECTOR, f32, f64, i32, i64 } from './ops.js';

const TYPES: Readonly<Record<number, string>> = {
  0x7f: 'i32',
  0x7e: 'i64',
  0x7d: 'f32',
  0x7c: 'f64',
};
const SECTION = { type: 1, import: 2, function: 3, export: 7, code: 10 } as const;
const KIND_FUNCTION = 0;

interface Operation {
  readonly name: string;
  readonly hasAddress: boolean;
}

/** Numeric and memory instructions by opcode, 0xfc00 added for those behind that prefix. */
const OPERATIONS = operations();

function operations(): ReadonlyMap<number, Operation> {
  const found = new Map<number, Operation>();
  const any = local('i32') as Expr as never;
  for (const [type, table] of Object.entries({ i32, i64, f32, f64 })) {
    for (const [key, make] of Object.entries(table)) {
      if (key === 'const') continue;
      const node = (make as (a: never, b: never) => Expr | Stmt)(any, any);
      if (!('op' in node)) continue;
      const hasAddress = node.kind === 'load' || node.kind === 'store';
      found.set(node.op, { name: `${type}.${textName(key)}`, hasAddress });
    }
  }
  return found;
}

const VECTOR_NAMES: ReadonlyMap<number, string> = new Map([
  [VECTOR.splatF32, 'f32x4.splat'],
  [VECTOR.splatF64, 'f64x2.splat'],
  [VECTOR.extractF32, 'f32x4.extract_lane'],
  [VECTOR.extractF64, 'f64x2.extract_lane'],
  [VECTOR.multiplyAddF32, 'f32x4.relaxed_madd'],
  [VECTOR.multiplyAddF64, 'f64x2.relaxed_madd'],
]);

/** `load8S` is load8_s, `truncSatF64U` trunc_sat_f64_u. */
function textName(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** The functions of a module, as text. */
export function disassembleModule(bytes: Uint8Array): string {
  return new ModuleReader(bytes).functions().join('\n');
}

class ModuleReader {
  private readonly input: Input;
  private readonly types: string[] = [];
  private readonly names: string[] = [];
  private readonly defined: number[] = [];
  private imported = 0;
  private readonly texts: string[] = [];

  constructor(bytes: Uint8Array) {
    this.input = new Input(bytes);
  }

  functions(): readonly string[] {
    const { input } = this;
    if (input.u8() !== 0 || input.take(3).join() !== '97,115,109') {
      throw new DecodeError('no WebAssembly module');
    }
    input.take(4);
    while (!input.isAtEnd()) {
      const id = input.u8();
      const section = new Input(input.take(input.u32()));
      if (id === SECTION.type) repeat(section, () => this.types.push(signature(section)));
      if (id === SECTION.import) repeat(section, () => this.readImport(section));
      if (id === SECTION.function) repeat(section, () => this.defined.push(section.u32()));
      if (id === SECTION.export) repeat(section, () => this.readExport(section));
      if (id === SECTION.code) this.readCode(section);
    }
    return this.texts;
  }

  private readImport(section: Input): void {
    section.name();
    const name = section.name();
    const kind = section.u8();
    if (kind === KIND_FUNCTION) {
      section.u32();
      this.names.push(name);
      this.imported++;
    } else if (kind === 1) {
      section.u8();
      limits(section);
    } else if (kind === 2) limits(section);
    else section.take(2);
  }

  private readExport(section: Input): void {
    const name = section.name();
    const isFunction = section.u8() === KIND_FUNCTION;
    const index = section.u32();
    if (isFunction) this.names[index] = name;
  }

  private readCode(section: Input): void {
    repeat(section, (index) => {
      const body = new Input(section.take(section.u32()));
      const name = this.nameOf(this.imported + index);
      const type = this.types[this.defined[index] ?? 0] ?? '';
      this.texts.push(new BodyReader(body, (target) => this.nameOf(target)).text(name, type));
    });
  }

  private nameOf(index: number): string {
    return `$${this.names[index] ?? index}`;
  }
}

class BodyReader {
  private readonly input: Input;
  private readonly nameOf: (index: number) => string;
  private readonly lines: string[] = [];
  private depth = 1;

  constructor(input: Input, nameOf: (index: number) => string) {
    this.input = input;
    this.nameOf = nameOf;
  }

  text(name: string, type: string): string {
    const { input } = this;
    const locals: string[] = [];
    repeat(input, () => {
      const count = input.u32();
      locals.push(`${count} x ${valueType(input.u8())}`);
    });
    const declared = locals.length === 0 ? '' : ` (local ${locals.join(', ')})`;
    this.lines.push(`func ${name}${type}${declared}`);
    while (!input.isAtEnd()) this.instruction();
    return `${this.lines.join('\n')}\n`;
  }

  private line(text: string): void {
    this.lines.push(`${'  '.repeat(this.depth)}${text}`);
  }

  private open(text: string): void {
    this.line(text);
    this.depth++;
  }

  private instruction(): void {
    const { input } = this;
    const code = input.u8();
    const op = code === 0xfc ? 0xfc00 + input.u32() : code;
    const operation = OPERATIONS.get(op);
    if (operation !== undefined) {
      if (!operation.hasAddress) return this.line(operation.name);
      input.u32();
      const offset = input.u32();
      return this.line(offset === 0 ? operation.name : `${operation.name} offset=${offset}`);
    }
    if (code === 0xfd) return this.vector(input.u32());
    this.control(code);
  }

  private vector(op: number): void {
    const name = VECTOR_NAMES.get(op);
    if (name === undefined) throw new DecodeError(`vector opcode 0x${op.toString(16)}`);
    const takesLane = op === VECTOR.extractF32 || op === VECTOR.extractF64;
    this.line(takesLane ? `${name} ${this.input.u8()}` : name);
  }

  private control(code: number): void {
    const { input } = this;
    switch (code) {
      case 0x02:
      case 0x03:
      case 0x04:
        return this.open(`${['block', 'loop', 'if'][code - 2]}${blockType(input.u8())}`);
      case 0x05:
        this.depth--;
        return this.open('else');
      case 0x0b:
        this.depth--;
        return this.depth === 0 ? undefined : this.line('end');
      case 0x0e: {
        const targets: number[] = [];
        repeat(input, () => targets.push(input.u32()));
        return this.line(`br_table ${[...targets, input.u32()].join(' ')}`);
      }
      case 0x10:
      case 0x12:
        return this.line(`${code === 0x10 ? '' : 'return_'}call ${this.nameOf(input.u32())}`);
      case 0x11:
      case 0x13:
        input.u32();
        input.u32();
        return this.line(code === 0x11 ? 'call_indirect' : 'return_call_indirect');
      case 0x41:
      case 0x42:
        return this.line(`${code === 0x41 ? 'i32' : 'i64'}.const ${input.signed()}`);
      case 0x44:
        return this.line(`f64.const ${input.f64()}`);
      default:
        return this.plain(code);
    }
  }

  /** Instructions without an operand, and those with one number. */
  private plain(code: number): void {
    const bare: Readonly<Record<number, string>> = {
      0x00: 'unreachable',
      0x01: 'nop',
      0x0f: 'return',
      0x1a: 'drop',
      0x1b: 'select',
    };
    const numbered: Readonly<Record<number, string>> = {
      0x0c: 'br',
      0x0d: 'br_if',
      0x20: 'local.get',
      0x21: 'local.set',
      0x22: 'local.tee',
      0x23: 'global.get',
      0x24: 'global.set',
    };
    const name = bare[code];
    if (name !== undefined) return this.line(name);
    const withNumber = numbered[code];
    if (withNumber === undefined) throw new DecodeError(`opcode 0x${code.toString(16)}`);
    this.line(`${withNumber} ${this.input.u32()}`);
  }
}

function valueType(code: number): string {
  const name = TYPES[code];
  if (name === undefined) throw new DecodeError(`value type 0x${code.toString(16)}`);
  return name;
}

function blockType(code: number): string {
  return code === 0x40 ? '' : ` (result ${valueType(code)})`;
}

function signature(section: Input): string {
  section.u8();
  const list = (title: string): string => {
    const names: string[] = [];
    repeat(section, () => names.push(valueType(section.u8())));
    return names.length === 0 ? '' : ` (${title} ${names.join(' ')})`;
  };
  return `${list('param')}${list('result')}`;
}

function limits(section: Input): void {
  const hasMaximum = (section.u8() & 1) === 1;
  section.u32();
  if (hasMaximum) section.u32();
}

/** A counted list. */
function repeat(input: Input, read: (index: number) => unknown): void {
  const count = input.u32();
  for (let index = 0; index < count; index++) read(index);
}

class Input {
  private readonly bytes: Uint8Array;
  private at = 0;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  isAtEnd(): boolean {
    return this.at >= this.bytes.length;
  }

  u8(): number {
    const byte = this.bytes[this.at++];
    if (byte === undefined) throw new DecodeError('the module ends too early');
    return byte;
  }

  take(count: number): Uint8Array {
    if (this.at + count > this.bytes.length) throw new DecodeError('the module ends too early');
    this.at += count;
    return this.bytes.subarray(this.at - count, this.at);
  }

  u32(): number {
    return Number(this.leb().value & 0xffff_ffffn);
  }

  signed(): bigint {
    const { value, bits } = this.leb();
    return BigInt.asIntN(bits, value);
  }

  f64(): number {
    const bytes = this.take(8);
    return new DataView(bytes.buffer, bytes.byteOffset, 8).getFloat64(0, true);
  }

  name(): string {
    return String.fromCharCode(...this.take(this.u32()));
  }

  private leb(): { readonly value: bigint; readonly bits: number } {
    let value = 0n;
    for (let shift = 0; shift < 70; shift += 7) {
      const byte = this.u8();
      value |= BigInt(byte & 0x7f) << BigInt(shift);
      if (byte < 0x80) return { value, bits: shift + 7 };
    }
    throw new DecodeError('a number is too long');
  }
}
