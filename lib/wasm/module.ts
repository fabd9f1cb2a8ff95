/**
 * Builds one WebAssembly module: types, imports, functions, globals, exports, branch hints.
 *
 * Order of use: `importFunction`s first (their indices come before defined functions), then
 * `define`, then `finish`. A module always imports one shared memory as `env.memory`.
 */

import { FunctionEmitter, type Binding, type FunctionBody, type Resolver } from './emit.js';
import type { FunctionSignature, Local, Stmt, ValueType } from './ir.js';
import { Writer } from './writer.js';

const TYPE_CODE: Record<ValueType, number> = { i32: 0x7f, i64: 0x7e, f32: 0x7d, f64: 0x7c };

export interface MemoryLimits {
  /** 64 KiB pages. */
  readonly initialPages: number;
  readonly maximumPages: number;
}

interface Defined {
  readonly signature: FunctionSignature;
  readonly params: readonly Local[];
  readonly body: readonly Stmt[];
  readonly binding: Binding | undefined;
  readonly exported: boolean;
}

export class ModuleBuilder implements Resolver {
  private readonly types: string[] = [];
  private readonly imports: FunctionSignature[] = [];
  private readonly defined: Defined[] = [];
  private readonly functions = new Map<string, number>();
  private readonly globals: { name: string; type: ValueType }[] = [];

  private readonly memory: MemoryLimits;

  constructor(memory: MemoryLimits) {
    this.memory = memory;
  }

  importFunction(signature: FunctionSignature): void {
    if (this.defined.length > 0) throw new Error('wasm module: imports must come first');
    this.claim(signature, this.imports.length);
    this.imports.push(signature);
  }

  /** Defines a function; `params` are the locals that its body uses for the parameters. */
  define(
    signature: FunctionSignature,
    params: readonly Local[],
    body: readonly Stmt[],
    options: { readonly exported?: boolean; readonly binding?: Binding } = {},
  ): void {
    this.claim(signature, this.imports.length + this.defined.length);
    this.defined.push({
      signature,
      params,
      body,
      binding: options.binding,
      exported: options.exported ?? false,
    });
  }

  /** A mutable global that starts at zero. */
  defineGlobal(name: string, type: ValueType): void {
    this.globals.push({ name, type });
  }

  functionIndex(target: FunctionSignature): number {
    const index = this.functions.get(target.name);
    if (index === undefined) throw new Error(`wasm module: no function ${target.name}`);
    return index;
  }

  globalIndex(name: string): number {
    const index = this.globals.findIndex((entry) => entry.name === name);
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
      for (const type of this.types) body.raw(type.split(',').map(Number));
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
    const emitter = new FunctionEmitter(this, entry.params);
    emitter.statements(entry.body, entry.binding);
    // Every path returns by a statement; the end of a body with a result is never reached.
    if (entry.signature.result !== null) emitter.statements([{ kind: 'unreachable' }]);
    return emitter.finish();
  }

  private typeIndex(signature: FunctionSignature): number {
    const results = signature.result === null ? [] : [TYPE_CODE[signature.result]];
    const params = signature.params.map((type) => TYPE_CODE[type]);
    const key = [0x60, params.length, ...params, results.length, ...results].join(',');
    const known = this.types.indexOf(key);
    if (known >= 0) return known;
    this.types.push(key);
    return this.types.length - 1;
  }

  private writeImports(body: Writer, types: readonly number[]): void {
    body.u32(this.imports.length + 1);
    for (const [index, entry] of this.imports.entries()) {
      body.name('env');
      body.name(entry.name);
      body.u8(0x00);
      body.u32(types[index] ?? 0);
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
    body.u32(exported.length);
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
