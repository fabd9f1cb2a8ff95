/**
 * The code of one function as far as it is written: bytes, numbers of its locals, labels that are
 * open, branch hints, and, in a template, what is left open.
 */

import { assert, present } from '../base/assert.js';
import { TYPE_CODE } from './encoding.js';
import type {
  BranchHint,
  FunctionSignature,
  Label,
  Local,
  Relocation,
  Template,
  ValueType,
} from './ir.js';
import { Writer } from './writer.js';

export interface Resolver {
  functionIndex(target: FunctionSignature): number;
  globalIndex(name: string): number;
  typeIndex(signature: FunctionSignature): number;
}

export interface FunctionBody {
  /** Locals and code, without the size prefix. */
  readonly bytes: Uint8Array;
  /** Byte offsets from the start of `bytes`, with the likely direction. */
  readonly hints: readonly { readonly offset: number; readonly likely: boolean }[];
}

/** What a template leaves open. */
export interface Openings {
  /** Locals that its user names, by the number of the hole. */
  readonly locals: ReadonlyMap<Local, number>;
  readonly relocations: Relocation[];
}

export class FunctionCode {
  readonly bytes = new Writer();
  /** The innermost last. */
  readonly labels: Label[] = [];
  readonly resolver: Resolver;
  private readonly localIndex = new Map<Local, number>();
  private readonly localTypes: ValueType[] = [];
  private readonly hints: { offset: number; likely: boolean }[] = [];
  private readonly params: readonly Local[];
  /** Null where a function is emitted: what it leaves open is an error. */
  private readonly open: Openings | null;

  /** `declared` are locals that are numbered first, in this order, whether used or not. */
  constructor(
    resolver: Resolver,
    params: readonly Local[],
    { declared = [], open = null }: { declared?: readonly Local[]; open?: Openings | null } = {},
  ) {
    this.resolver = resolver;
    this.params = params;
    this.open = open;
    for (const param of params) this.localIndex.set(param, this.localIndex.size);
    for (const entry of declared) this.indexOf(entry);
  }

  finish(): FunctionBody {
    const body = new Writer();
    const runs: { type: ValueType; count: number }[] = [];
    for (const type of this.localTypes) {
      const last = runs[runs.length - 1];
      if (last !== undefined && last.type === type) last.count++;
      else runs.push({ type, count: 1 });
    }
    body.u32(runs.length);
    for (const run of runs) {
      body.u32(run.count);
      body.u8(TYPE_CODE[run.type]);
    }
    const head = body.length;
    body.raw(this.bytes.finish());
    body.u8(0x0b);
    const hints = this.hints.map((hint) => ({ offset: hint.offset + head, likely: hint.likely }));
    return { bytes: body.finish(), hints };
  }

  /** Parameters and locals. */
  get localCount(): number {
    return this.localIndex.size;
  }

  /** The code so far, without locals; for what is no whole function. */
  soFar(): Uint8Array {
    return this.bytes.finish().slice();
  }

  private indexOf(target: Local): number {
    const known = this.localIndex.get(target);
    if (known !== undefined) return known;
    const index = this.params.length + this.localTypes.length;
    this.localTypes.push(target.type);
    this.localIndex.set(target, index);
    return index;
  }

  localAccess(op: number, target: Local): void {
    this.bytes.u8(op);
    const hole = this.open?.locals.get(target);
    if (hole === undefined) this.bytes.u32(this.indexOf(target));
    else this.relocate({ at: this.bytes.length, kind: 'local', hole });
  }

  /** Notes what is to be written at this place. */
  private relocate(relocation: Relocation): void {
    if (this.open === null) throw new Error('wasm emitter: a function leaves nothing open');
    this.open.relocations.push(relocation);
  }

  /** A constant that a template leaves open. */
  openConstant(type: ValueType, hole: number): void {
    this.bytes.u8(type === 'i32' ? 0x41 : 0x42);
    this.relocate({ at: this.bytes.length, kind: 'constant', hole });
  }

  branch(op: number, target: Label): void {
    this.bytes.u8(op);
    if (this.open === null || this.labels.includes(target)) this.bytes.u32(this.depthOf(target));
    else {
      const depth = this.labels.length;
      this.relocate({ at: this.bytes.length, kind: 'label', label: target, depth });
    }
  }

  private depthOf(target: Label): number {
    const position = this.labels.lastIndexOf(target);
    if (position < 0) throw new Error('wasm emitter: branch to a label that is not open');
    return this.labels.length - 1 - position;
  }

  callee(target: FunctionSignature): void {
    if (this.open === null) this.bytes.u32(this.resolver.functionIndex(target));
    else this.relocate({ at: this.bytes.length, kind: 'function', target });
  }

  hint(hint: BranchHint): void {
    if (hint === 'none') return;
    const likely = hint === 'likely';
    if (this.open === null) this.hints.push({ offset: this.bytes.length, likely });
    else this.relocate({ at: this.bytes.length, kind: 'hint', likely });
  }

  /** The bytes of a template with what it left open. */
  template({ bytes, relocations }: Template, values: readonly (number | bigint)[]): void {
    const { bytes: code } = this;
    let from = 0;
    for (const relocation of relocations) {
      code.copy(bytes, from, relocation.at);
      from = relocation.at;
      switch (relocation.kind) {
        case 'local':
          code.u32(localFor(relocation.hole, values));
          break;
        case 'constant':
          code.s64(present(values[relocation.hole], 'value of a hole'));
          break;
        case 'label':
          code.u32(this.depthOf(relocation.label) + relocation.depth);
          break;
        case 'function':
          code.u32(this.resolver.functionIndex(relocation.target));
          break;
        case 'hint':
          this.hints.push({ offset: code.length, likely: relocation.likely });
      }
    }
    code.copy(bytes, from, bytes.length);
  }
}

/** The index of a local that a template leaves open. */
function localFor(hole: number, values: readonly (number | bigint)[]): number {
  const index = values[hole];
  assert(typeof index === 'number' && index >= 0, 'a local for a hole', hole);
  return index;
}
