/**
 * Turns the trees of `ir.ts` into the bytes of one function body.
 *
 * The emitter walks a tree once and writes into the code of a function. What `operand`, `assign`
 * and `effect` mean is asked of the `Binding`: the interpreter binds registers to memory, a
 * template for compiled regions binds them to locals.
 */

import { TYPE_CODE, VOID_TYPE, naturalAlignment } from './encoding.js';
import type { Binding, Expr, FunctionSignature, Label, Stmt, ValueType } from './ir.js';
import type { FunctionCode } from './function-code.js';
import { VECTOR } from './ops.js';
import type { Writer } from './writer.js';

export class FunctionEmitter {
  private readonly code: FunctionCode;
  private readonly bytes: Writer;
  private readonly bindings: Binding[] = [];

  constructor(code: FunctionCode) {
    this.code = code;
    this.bytes = code.bytes;
  }

  /** Emits statements; `binding` gives meaning to operands, assigns and effects inside them. */
  statements(body: readonly Stmt[], binding?: Binding): void {
    if (binding !== undefined) this.bindings.push(binding);
    for (const stmt of body) this.statement(stmt);
    if (binding !== undefined) this.bindings.pop();
  }

  private binding(): Binding {
    const binding = this.bindings[this.bindings.length - 1];
    if (binding === undefined) throw new Error('wasm emitter: a name used without a binding');
    return binding;
  }

  private memoryOp(op: number, offset: number): void {
    this.bytes.u8(op);
    this.bytes.u32(naturalAlignment(op));
    this.bytes.u32(offset);
  }

  private constant(type: ValueType, value: bigint | number): void {
    switch (type) {
      case 'i32':
        this.bytes.u8(0x41);
        this.bytes.s32(Number(value));
        break;
      case 'i64':
        this.bytes.u8(0x42);
        this.bytes.s64(BigInt(value));
        break;
      case 'f64':
        this.bytes.u8(0x44);
        this.bytes.f64(Number(value));
        break;
      case 'f32':
        throw new Error('wasm emitter: f32 constants are not used');
    }
  }

  private numeric(op: number): void {
    if (op >= 0xfc00) {
      this.bytes.u8(0xfc);
      this.bytes.u32(op - 0xfc00);
    } else {
      this.bytes.u8(op);
    }
  }

  private resolve(expr: Expr): Expr {
    return expr.kind === 'operand' ? this.binding().operand(expr.name) : expr;
  }

  private expression(unresolved: Expr): void {
    const expr = this.resolve(unresolved);
    switch (expr.kind) {
      case 'local':
        this.code.localAccess(0x20, expr);
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
        this.bytes.u8(0x1b);
        return;
      case 'choose':
        this.expression(expr.condition);
        this.code.hint(expr.hint);
        this.bytes.u8(0x04);
        this.bytes.u8(TYPE_CODE[expr.type]);
        this.scoped(NO_LABEL, () => {
          this.expression(expr.then);
          this.bytes.u8(0x05);
          this.expression(expr.otherwise);
        });
        return;
      case 'call':
        this.invoke(expr.target, expr.args);
        return;
      case 'call-indirect':
        for (const arg of expr.args) this.expression(arg);
        this.expression(expr.index);
        this.bytes.u8(0x11);
        this.bytes.u32(this.code.resolver.typeIndex(expr.target));
        this.bytes.u32(0);
        return;
      case 'multiply-add':
        this.multiplyAdd(expr);
        return;
      case 'tee':
        this.expression(expr.value);
        this.code.localAccess(0x22, expr.local);
        return;
      case 'global':
        this.bytes.u8(0x23);
        this.bytes.u32(this.code.resolver.globalIndex(expr.name));
        return;
      case 'hole':
        this.code.openConstant(expr.type, expr.hole);
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
    this.bytes.u8(0);
  }

  private vector(op: number): void {
    this.bytes.u8(0xfd);
    this.bytes.u32(op);
  }

  private invoke(target: FunctionSignature, args: readonly Expr[]): void {
    for (const arg of args) this.expression(arg);
    this.bytes.u8(0x10);
    this.code.callee(target);
  }

  private scoped(target: Label, body: () => void): void {
    this.code.labels.push(target);
    body();
    this.bytes.u8(0x0b);
    this.code.labels.pop();
  }

  private statement(stmt: Stmt): void {
    switch (stmt.kind) {
      case 'set':
        this.expression(stmt.value);
        this.code.localAccess(0x21, stmt.local);
        return;
      case 'set-global':
        this.expression(stmt.value);
        this.bytes.u8(0x24);
        this.bytes.u32(this.code.resolver.globalIndex(stmt.name));
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
        this.bytes.u8(0x1a);
        return;
      case 'return':
        if (stmt.value !== null) this.expression(stmt.value);
        this.bytes.u8(0x0f);
        return;
      case 'unreachable':
        this.bytes.u8(0x00);
        return;
      case 'assign':
        for (const inner of this.binding().assign(stmt.operand, stmt.value)) this.statement(inner);
        return;
      case 'bound':
        this.statements(stmt.body, stmt.binding);
        return;
      case 'template':
        this.code.template(stmt.template, stmt.values);
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
        this.code.hint(stmt.hint);
        this.bytes.u8(0x04);
        this.bytes.u8(VOID_TYPE);
        this.scoped(NO_LABEL, () => {
          this.statements(stmt.then);
          if (stmt.otherwise.length === 0) return;
          this.bytes.u8(0x05);
          this.statements(stmt.otherwise);
        });
        return;
      case 'block':
      case 'loop':
        this.bytes.u8(stmt.kind === 'block' ? 0x02 : 0x03);
        this.bytes.u8(VOID_TYPE);
        this.scoped(stmt.label, () => this.statements(stmt.body));
        return;
      case 'br':
        this.code.branch(0x0c, stmt.label);
        return;
      case 'br-if':
        this.expression(stmt.condition);
        this.code.hint(stmt.hint);
        this.code.branch(0x0d, stmt.label);
        return;
      case 'switch':
        this.branchTable(stmt);
        return;
    }
  }

  /** One block per case, the innermost holding the br_table; each case ends by leaving them all. */
  private branchTable(stmt: Extract<Stmt, { kind: 'switch' }>): void {
    const present = stmt.cases.filter((body) => body !== null);
    const count = present.length;
    const done = NO_LABEL;
    for (let index = 0; index < count + 2; index++) {
      this.bytes.u8(0x02);
      this.bytes.u8(VOID_TYPE);
      this.code.labels.push(done);
    }
    this.expression(stmt.index);
    this.bytes.u8(0x0e);
    this.bytes.u32(stmt.cases.length);
    let depth = 0;
    for (const body of stmt.cases) this.bytes.u32(body === null ? count : depth++);
    this.bytes.u32(count);
    for (let index = 0; index <= count; index++) {
      this.bytes.u8(0x0b);
      this.code.labels.pop();
      this.statements(present[index] ?? stmt.otherwise);
      this.bytes.u8(0x0c);
      this.bytes.u32(count - index);
    }
    this.bytes.u8(0x0b);
    this.code.labels.pop();
  }
}

/** Pushed for `if` and switch scopes, which are never branched to by label. */
const NO_LABEL: Label = { kind: 'label' };
