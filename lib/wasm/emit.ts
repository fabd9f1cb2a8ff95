/**
 * Turns the trees of `ir.ts` into the bytes of one function body.
 *
 * The emitter walks a tree once, keeps the stack of open labels and the numbering of locals, and
 * notes the branch hints. What `operand`, `assign` and `effect` mean is asked of the `Binding`:
 * the interpreter binds registers to memory, a compiled region binds them to locals.
 */

import type {
  Binding,
  BranchHint,
  Expr,
  FunctionSignature,
  Label,
  Local,
  Stmt,
  ValueType,
} from './ir.js';
import { VECTOR } from './ops.js';
import { Writer } from './writer.js';

const TYPE_CODE: Record<ValueType, number> = { i32: 0x7f, i64: 0x7e, f32: 0x7d, f64: 0x7c };
const VOID_TYPE = 0x40;

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

/** log2 of the natural alignment, by load or store opcode. */
function naturalAlignment(op: number): number {
  switch (op) {
    case 0x2c:
    case 0x2d:
    case 0x30:
    case 0x31:
    case 0x3a:
    case 0x3c:
      return 0;
    case 0x2e:
    case 0x2f:
    case 0x32:
    case 0x33:
    case 0x3b:
    case 0x3d:
      return 1;
    case 0x28:
    case 0x34:
    case 0x35:
    case 0x36:
    case 0x3e:
      return 2;
    default:
      return 3;
  }
}

export class FunctionEmitter {
  private readonly code = new Writer();
  private readonly labels: Label[] = [];
  private readonly localIndex = new Map<Local, number>();
  private readonly localTypes: ValueType[] = [];
  private readonly hints: { offset: number; likely: boolean }[] = [];
  private bindings: Binding[] = [];

  private readonly resolver: Resolver;
  private readonly params: readonly Local[];

  constructor(resolver: Resolver, params: readonly Local[]) {
    this.resolver = resolver;
    this.params = params;
    for (const param of params) this.localIndex.set(param, this.localIndex.size);
  }

  /** Emits statements; `binding` gives meaning to operands, assigns and effects inside them. */
  statements(body: readonly Stmt[], binding?: Binding): void {
    if (binding !== undefined) this.bindings.push(binding);
    for (const stmt of body) this.statement(stmt);
    if (binding !== undefined) this.bindings.pop();
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
    body.raw(this.code.finish());
    body.u8(0x0b);
    const hints = this.hints.map((hint) => ({ offset: hint.offset + head, likely: hint.likely }));
    return { bytes: body.finish(), hints };
  }

  private binding(): Binding {
    const binding = this.bindings[this.bindings.length - 1];
    if (binding === undefined) throw new Error('wasm emitter: a name used without a binding');
    return binding;
  }

  private indexOf(target: Local): number {
    const known = this.localIndex.get(target);
    if (known !== undefined) return known;
    const index = this.params.length + this.localTypes.length;
    this.localTypes.push(target.type);
    this.localIndex.set(target, index);
    return index;
  }

  private depthOf(target: Label): number {
    const position = this.labels.lastIndexOf(target);
    if (position < 0) throw new Error('wasm emitter: branch to a label that is not open');
    return this.labels.length - 1 - position;
  }

  private hint(hint: BranchHint): void {
    if (hint !== 'none') this.hints.push({ offset: this.code.length, likely: hint === 'likely' });
  }

  private memoryOp(op: number, offset: number): void {
    this.code.u8(op);
    this.code.u32(naturalAlignment(op));
    this.code.u32(offset);
  }

  private constant(type: ValueType, value: bigint | number): void {
    switch (type) {
      case 'i32':
        this.code.u8(0x41);
        this.code.s32(Number(value));
        break;
      case 'i64':
        this.code.u8(0x42);
        this.code.s64(BigInt(value));
        break;
      case 'f64':
        this.code.u8(0x44);
        this.code.f64(Number(value));
        break;
      case 'f32':
        throw new Error('wasm emitter: f32 constants are not used');
    }
  }

  private numeric(op: number): void {
    if (op >= 0xfc00) {
      this.code.u8(0xfc);
      this.code.u32(op - 0xfc00);
    } else {
      this.code.u8(op);
    }
  }

  private resolve(expr: Expr): Expr {
    return expr.kind === 'operand' ? this.binding().operand(expr.name) : expr;
  }

  private expression(unresolved: Expr): void {
    const expr = this.resolve(unresolved);
    switch (expr.kind) {
      case 'local':
        this.code.u8(0x20);
        this.code.u32(this.indexOf(expr));
        return;
      case 'const':
        this.constant(expr.type, expr.value);
        return;
      case 'unary':
        this.expression(expr.a);
        this.numeric(expr.op);
        return;
      case 'binary':
        this.binary(expr.op, expr.a, this.resolve(expr.b));
        return;
      case 'load':
        this.expression(expr.address);
        this.memoryOp(expr.op, expr.offset);
        return;
      case 'select':
        this.expression(expr.a);
        this.expression(expr.b);
        this.expression(expr.condition);
        this.code.u8(0x1b);
        return;
      case 'choose':
        this.expression(expr.condition);
        this.hint(expr.hint);
        this.code.u8(0x04);
        this.code.u8(TYPE_CODE[expr.type]);
        this.scoped(NO_LABEL, () => {
          this.expression(expr.then);
          this.code.u8(0x05);
          this.expression(expr.otherwise);
        });
        return;
      case 'call':
        this.invoke(expr.target, expr.args);
        return;
      case 'call-indirect':
        for (const arg of expr.args) this.expression(arg);
        this.expression(expr.index);
        this.code.u8(0x11);
        this.code.u32(this.resolver.typeIndex(expr.target));
        this.code.u32(0);
        return;
      case 'multiply-add':
        this.multiplyAdd(expr);
        return;
      case 'tee':
        this.expression(expr.value);
        this.code.u8(0x22);
        this.code.u32(this.indexOf(expr.local));
        return;
      case 'global':
        this.code.u8(0x23);
        this.code.u32(this.resolver.globalIndex(expr.name));
        return;
      case 'operand':
        throw new Error(`wasm emitter: operand ${expr.name} is bound to an operand`);
    }
  }

  /** Drops additions of zero, which bound immediates often are. */
  private binary(op: number, a: Expr, b: Expr): void {
    this.expression(a);
    const additive = op === 0x7c || op === 0x6a;
    if (additive && b.kind === 'const' && Number(b.value) === 0) return;
    this.expression(b);
    this.numeric(op);
  }

  /** Operands into lane 0 of vectors, and the result out of it. */
  private multiplyAdd(expr: Extract<Expr, { kind: 'multiply-add' }>): void {
    const isSingle = expr.type === 'f32';
    for (const operand of [expr.a, expr.b, expr.c]) {
      this.expression(operand);
      this.vector(isSingle ? VECTOR.splatF32 : VECTOR.splatF64);
    }
    this.vector(isSingle ? VECTOR.multiplyAddF32 : VECTOR.multiplyAddF64);
    this.vector(isSingle ? VECTOR.extractF32 : VECTOR.extractF64);
    this.code.u8(0);
  }

  private vector(op: number): void {
    this.code.u8(0xfd);
    this.code.u32(op);
  }

  private invoke(target: FunctionSignature, args: readonly Expr[]): void {
    for (const arg of args) this.expression(arg);
    this.code.u8(0x10);
    this.code.u32(this.resolver.functionIndex(target));
  }

  private scoped(target: Label, body: () => void): void {
    this.labels.push(target);
    body();
    this.code.u8(0x0b);
    this.labels.pop();
  }

  private statement(stmt: Stmt): void {
    switch (stmt.kind) {
      case 'set':
        this.expression(stmt.value);
        this.code.u8(0x21);
        this.code.u32(this.indexOf(stmt.local));
        return;
      case 'set-global':
        this.expression(stmt.value);
        this.code.u8(0x24);
        this.code.u32(this.resolver.globalIndex(stmt.name));
        return;
      case 'store':
        this.expression(stmt.address);
        this.expression(stmt.value);
        this.memoryOp(stmt.op, stmt.offset);
        return;
      case 'call':
        this.invoke(stmt.target, stmt.args);
        return;
      case 'drop':
        this.expression(stmt.value);
        this.code.u8(0x1a);
        return;
      case 'return':
        if (stmt.value !== null) this.expression(stmt.value);
        this.code.u8(0x0f);
        return;
      case 'unreachable':
        this.code.u8(0x00);
        return;
      case 'assign':
        for (const inner of this.binding().assign(stmt.operand, stmt.value)) this.statement(inner);
        return;
      case 'bound':
        this.statements(stmt.body, stmt.binding);
        return;
      case 'effect':
        for (const inner of this.binding().effect(stmt.name, stmt.args)) this.statement(inner);
        return;
      default:
        this.control(stmt);
    }
  }

  private control(
    stmt: Extract<Stmt, { kind: 'if' | 'block' | 'loop' | 'br' | 'br-if' | 'switch' }>,
  ): void {
    switch (stmt.kind) {
      case 'if':
        this.expression(stmt.condition);
        this.hint(stmt.hint);
        this.code.u8(0x04);
        this.code.u8(VOID_TYPE);
        this.scoped(NO_LABEL, () => {
          this.statements(stmt.then);
          if (stmt.otherwise.length === 0) return;
          this.code.u8(0x05);
          this.statements(stmt.otherwise);
        });
        return;
      case 'block':
      case 'loop':
        this.code.u8(stmt.kind === 'block' ? 0x02 : 0x03);
        this.code.u8(VOID_TYPE);
        this.scoped(stmt.label, () => this.statements(stmt.body));
        return;
      case 'br':
        this.code.u8(0x0c);
        this.code.u32(this.depthOf(stmt.label));
        return;
      case 'br-if':
        this.expression(stmt.condition);
        this.hint(stmt.hint);
        this.code.u8(0x0d);
        this.code.u32(this.depthOf(stmt.label));
        return;
      case 'switch':
        this.branchTable(stmt);
        return;
    }
  }

  /** One block per case, the innermost holding the br_table; each case ends by leaving them all. */
  private branchTable(stmt: Extract<Stmt, { kind: 'switch' }>): void {
    const count = stmt.cases.length;
    const done = NO_LABEL;
    for (let index = 0; index < count + 2; index++) {
      this.code.u8(0x02);
      this.code.u8(VOID_TYPE);
      this.labels.push(done);
    }
    this.expression(stmt.index);
    this.code.u8(0x0e);
    this.code.u32(count);
    for (let index = 0; index <= count; index++) this.code.u32(index);
    for (let index = 0; index <= count; index++) {
      this.code.u8(0x0b);
      this.labels.pop();
      this.statements(stmt.cases[index] ?? stmt.otherwise);
      this.code.u8(0x0c);
      this.code.u32(count - index);
    }
    this.code.u8(0x0b);
    this.labels.pop();
  }
}

/** Pushed for `if` and switch scopes, which are never branched to by label. */
const NO_LABEL: Label = { kind: 'label' };
