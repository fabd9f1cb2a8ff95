/**
 * Builds one WebAssembly module: types, imports, functions, globals, exports, branch hints.
 *
 * Order of use: `importFunction`s first (their indices come before defined functions), then
 * `define`, then `finish`. A module always imports one shared memory as `env.memory`.
 */

import { TYPE_CODE } from './encoding.js';
import { FunctionEmitter } from './emit.js';
import { FunctionCode, type FunctionBody, type Resolver } from './function-code.js';
import {
  call,
  callVoid,
  local,
  ret,
  type FunctionSignature,
  type Local,
  type Stmt,
  type ValueType,
} from './ir.js';
import { Writer } from './writer.js';

export interface MemoryLimits {
  /** 64 KiB pages. */
  readonly initialPages: number;
  readonly maximumPages: number;
}

/** The encoding of a function type; equal types are one object. */
type FunctionType = readonly number[];

const knownTypes = new Map<string, FunctionType>();
const typeOfSignature = new Map<FunctionSignature, FunctionType>();
/** By a function that is called through a relay: the import behind it. */
const importBehind = new Map<FunctionSignature, FunctionSignature>();

function functionType(signature: FunctionSignature): FunctionType {
  const known = typeOfSignature.get(signature);
  if (known !== undefined) return known;
  const results = signature.result === null ? [] : [TYPE_CODE[signature.result]];
  const params = signature.params.map((type) => TYPE_CODE[type]);
  const encoding = [0x60, params.length, ...params, results.length, ...results];
  const key = encoding.join(',');
  const type = knownTypes.get(key) ?? encoding;
  knownTypes.set(key, type);
  typeOfSignature.set(signature, type);
  return type;
}

interface Defined {
  readonly signature: FunctionSignature;
  readonly params: readonly Local[];
  readonly body: readonly Stmt[];
  readonly declared: readonly Local[];
  readonly exported: boolean;
}

export class ModuleBuilder implements Resolver {
  private readonly types: FunctionType[] = [];
  private readonly imports: FunctionSignature[] = [];
  private readonly defined: Defined[] = [];
  private readonly functions = new Map<string, number>();
  private readonly importedGlobals: { name: string; type: ValueType }[] = [];
  private readonly globals: { name: string; type: ValueType }[] = [];
  private tableEntries: number | null = null;

  private readonly memory: MemoryLimits;

  constructor(memory: MemoryLimits) {
    this.memory = memory;
  }

  importFunction(signature: FunctionSignature): void {
    if (this.defined.length > 0) throw new Error('wasm module: imports must come first');
    this.claim(signature, this.imports.length);
    this.imports.push(signature);
  }

  /**
   * Lets every import so far be called through a function of this module. A call of an import needs
   * its entry of the instance, which V8 fetches at the start of the caller and keeps in registers
   * all the way; a call within the module needs nothing.
   */
  relayImports(): void {
    for (const [index, signature] of this.imports.entries()) {
      const direct = importBehind.get(signature) ?? {
        ...signature,
        name: `import ${signature.name}`,
      };
      importBehind.set(signature, direct);
      this.functions.delete(signature.name);
      this.claim(direct, index);
      const params = signature.params.map((type) => local(type));
      const { result } = signature;
      const body = result === null ? callVoid(direct, params) : ret(call(result, direct, params));
      this.define(signature, params, [body]);
    }
  }

  /**
   * Defines a function; `params` are the locals that its body uses for the parameters, `declared`
   * others that are to have the numbers behind them, in this order.
   */
  define(
    signature: FunctionSignature,
    params: readonly Local[],
    body: readonly Stmt[],
    options: { readonly exported?: boolean; readonly declared?: readonly Local[] } = {},
  ): void {
    this.claim(signature, this.imports.length + this.defined.length);
    this.defined.push({
      signature,
      params,
      body,
      declared: options.declared ?? [],
      exported: options.exported ?? false,
    });
  }

  /** Exports every function defined so far under its name. */
  exportAll(): void {
    for (const [index, entry] of this.defined.entries()) {
      this.defined[index] = { ...entry, exported: true };
    }
  }

  /** A mutable global that starts at zero; exported under its name. */
  defineGlobal(name: string, type: ValueType): void {
    this.globals.push({ name, type });
  }

  /** A mutable global of another module, `env.NAME`; before any `defineGlobal`. */
  importGlobal(name: string, type: ValueType): void {
    this.importedGlobals.push({ name, type });
  }

  /** The table of functions `env.table`, with at least `entries` places. */
  importTable(entries: number): void {
    this.tableEntries = entries;
  }

  functionIndex(target: FunctionSignature): number {
    const index = this.functions.get(target.name);
    if (index === undefined) throw new Error(`wasm module: no function ${target.name}`);
    return index;
  }

  globalIndex(name: string): number {
    const all = [...this.importedGlobals, ...this.globals];
    const index = all.findIndex((entry) => entry.name === name);
    if (index < 0) throw new Error(`wasm module: no global ${name}`);
    return index;
  }

  finish(): Uint8Array {
    const bodies = this.defined.map((entry) => this.emit(entry));
    const out = new Writer();
    out.raw([0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00]);
    const importTypes = this.imports.map((entry) => this.typeIndex(entry));
    const definedTypes = this.defined.map((entry) => this.typeIndex(entry.signature));
    out.section(1, (body) => {
      body.u32(this.types.length);
      for (const type of this.types) body.raw(type);
    });
    out.section(2, (body) => this.writeImports(body, importTypes));
    out.section(3, (body) => {
      body.u32(definedTypes.length);
      for (const type of definedTypes) body.u32(type);
    });
    if (this.globals.length > 0) out.section(6, (body) => this.writeGlobals(body));
    out.section(7, (body) => this.writeExports(body));
    this.writeHints(out, bodies);
    out.section(10, (body) => {
      body.u32(bodies.length);
      for (const code of bodies) {
        body.u32(code.bytes.length);
        body.raw(code.bytes);
      }
    });
    return out.finish().slice();
  }

  private claim(signature: FunctionSignature, index: number): void {
    if (this.functions.has(signature.name)) {
      throw new Error(`wasm module: function ${signature.name} defined twice`);
    }
    this.functions.set(signature.name, index);
  }

  private emit(entry: Defined): FunctionBody {
    const code = new FunctionCode(this, entry.params, { declared: entry.declared });
    const emitter = new FunctionEmitter(code);
    emitter.statements(entry.body);
    // Every path returns by a statement; the end of a body with a result is never reached.
    if (entry.signature.result !== null) emitter.statements([{ kind: 'unreachable' }]);
    return code.finish();
  }

  typeIndex(signature: FunctionSignature): number {
    const type = functionType(signature);
    const known = this.types.indexOf(type);
    if (known >= 0) return known;
    this.types.push(type);
    return this.types.length - 1;
  }

  private writeImports(body: Writer, types: readonly number[]): void {
    const tables = this.tableEntries === null ? 0 : 1;
    body.u32(this.imports.length + this.importedGlobals.length + tables + 1);
    for (const [index, entry] of this.imports.entries()) {
      body.name('env');
      body.name(entry.name);
      body.u8(0x00);
      body.u32(types[index] ?? 0);
    }
    for (const entry of this.importedGlobals) {
      body.name('env');
      body.name(entry.name);
      body.raw([0x03, TYPE_CODE[entry.type], 0x01]);
    }
    if (this.tableEntries !== null) {
      body.name('env');
      body.name('table');
      body.raw([0x01, 0x70, 0x00]);
      body.u32(this.tableEntries);
    }
    body.name('env');
    body.name('memory');
    body.u8(0x02);
    body.u8(0x03);
    body.u32(this.memory.initialPages);
    body.u32(this.memory.maximumPages);
  }

  private writeGlobals(body: Writer): void {
    body.u32(this.globals.length);
    for (const entry of this.globals) {
      body.u8(TYPE_CODE[entry.type]);
      body.u8(0x01);
      body.raw(entry.type === 'i64' ? [0x42, 0x00] : [0x41, 0x00]);
      body.u8(0x0b);
    }
  }

  private writeExports(body: Writer): void {
    const exported = this.defined.filter((entry) => entry.exported);
    body.u32(exported.length + this.globals.length);
    for (const [index, entry] of this.globals.entries()) {
      body.name(entry.name);
      body.u8(0x03);
      body.u32(this.importedGlobals.length + index);
    }
    for (const entry of exported) {
      body.name(entry.signature.name);
      body.u8(0x00);
      body.u32(this.functionIndex(entry.signature));
    }
  }

  /** Custom section `metadata.code.branch_hint`; engines without the feature ignore it. */
  private writeHints(out: Writer, bodies: readonly FunctionBody[]): void {
    const hinted = bodies.flatMap((code, index) =>
      code.hints.length > 0 ? [{ index: index + this.imports.length, code }] : [],
    );
    if (hinted.length === 0) return;
    out.section(0, (body) => {
      body.name('metadata.code.branch_hint');
      body.u32(hinted.length);
      for (const { index, code } of hinted) {
        body.u32(index);
        body.u32(code.hints.length);
        for (const hint of code.hints) {
          body.u32(hint.offset);
          body.u32(1);
          body.u8(hint.likely ? 1 : 0);
        }
      }
    });
  }
}
