/**
 * Typed intermediate form for generated WebAssembly: expressions and statements as plain data.
 *
 * Every piece of code that Lockstep generates at run time (the interpreter, the soft-float
 * library and later the compiled regions) is first one of these trees; `emit.ts` turns a tree
 * into bytes. Two kinds of node make one instruction definition serve two tiers: `operand`
 * (a value named by the instruction table, such as "rs1") and `assign` (a write to such a name).
 * What an operand is, memory or local, is decided by the `Binding` given to the emitter.
 *
 * Invariant: nodes are immutable and free of side effects at construction; a tree may be emitted
 * any number of times.
 */

export type ValueType = 'i32' | 'i64' | 'f32' | 'f64';

/** A local variable of a generated function. Identity matters, not a name. */
export interface Local<T extends ValueType = ValueType> {
  readonly kind: 'local';
  readonly type: T;
}

/** A function known by name; the module under construction resolves the name to an index. */
export interface FunctionSignature {
  readonly name: string;
  readonly params: readonly ValueType[];
  readonly result: ValueType | null;
}

/** A branch target. Identity matters, not a name. */
export interface Label {
  readonly kind: 'label';
}

export type Expr<T extends ValueType = ValueType> =
  | Local<T>
  | { readonly kind: 'const'; readonly type: T; readonly value: bigint | number }
  | { readonly kind: 'unary'; readonly type: T; readonly op: number; readonly a: Expr }
  | {
      readonly kind: 'binary';
      readonly type: T;
      readonly op: number;
      readonly a: Expr;
      readonly b: Expr;
    }
  | {
      readonly kind: 'load';
      readonly type: T;
      readonly op: number;
      readonly address: Expr<'i32'>;
      readonly offset: number;
    }
  | {
      readonly kind: 'select';
      readonly type: T;
      readonly a: Expr<T>;
      readonly b: Expr<T>;
      readonly condition: Expr<'i32'>;
    }
  | {
      readonly kind: 'choose';
      readonly type: T;
      readonly condition: Expr<'i32'>;
      readonly then: Expr<T>;
      readonly otherwise: Expr<T>;
      readonly hint: BranchHint;
    }
  | {
      readonly kind: 'call';
      readonly type: T;
      readonly target: FunctionSignature;
      readonly args: readonly Expr[];
    }
  | {
      /** Calls entry `index` of the module's one table, which must have `target`'s type. */
      readonly kind: 'call-indirect';
      readonly type: T;
      readonly target: FunctionSignature;
      readonly index: Expr<'i32'>;
      readonly args: readonly Expr[];
    }
  | {
      /**
       * `a * b + c` by the relaxed vector instruction: rounded once, or twice, as the host likes.
       * Only for code that has found out which (`lib/riscv/float/host-fused.ts`).
       */
      readonly kind: 'multiply-add';
      readonly type: T;
      readonly a: Expr<T>;
      readonly b: Expr<T>;
      readonly c: Expr<T>;
    }
  | { readonly kind: 'tee'; readonly type: T; readonly local: Local<T>; readonly value: Expr<T> }
  | { readonly kind: 'global'; readonly type: T; readonly name: string }
  | { readonly kind: 'operand'; readonly type: T; readonly name: string }
  /** A constant that a template leaves open: i32 or i64. */
  | { readonly kind: 'hole'; readonly type: T; readonly hole: number };

/** Which way a conditional mostly goes; written to the branch-hint section. */
export type BranchHint = 'likely' | 'unlikely' | 'none';

export type Stmt =
  | { readonly kind: 'set'; readonly local: Local; readonly value: Expr }
  | { readonly kind: 'set-global'; readonly name: string; readonly value: Expr }
  | {
      readonly kind: 'store';
      readonly op: number;
      readonly address: Expr<'i32'>;
      readonly offset: number;
      readonly value: Expr;
    }
  | {
      readonly kind: 'if';
      readonly condition: Expr<'i32'>;
      readonly then: readonly Stmt[];
      readonly otherwise: readonly Stmt[];
      readonly hint: BranchHint;
    }
  | { readonly kind: 'block'; readonly label: Label; readonly body: readonly Stmt[] }
  | { readonly kind: 'loop'; readonly label: Label; readonly body: readonly Stmt[] }
  | { readonly kind: 'br'; readonly label: Label }
  | {
      readonly kind: 'br-if';
      readonly label: Label;
      readonly condition: Expr<'i32'>;
      readonly hint: BranchHint;
    }
  | {
      readonly kind: 'switch';
      readonly index: Expr<'i32'>;
      readonly cases: readonly (readonly Stmt[] | null)[];
      readonly otherwise: readonly Stmt[];
    }
  | { readonly kind: 'return'; readonly value: Expr | null }
  | { readonly kind: 'call'; readonly target: FunctionSignature; readonly args: readonly Expr[] }
  | { readonly kind: 'drop'; readonly value: Expr }
  | { readonly kind: 'unreachable' }
  | { readonly kind: 'assign'; readonly operand: string; readonly value: Expr }
  | { readonly kind: 'effect'; readonly name: string; readonly args: readonly Expr[] }
  | { readonly kind: 'bound'; readonly binding: Binding; readonly body: readonly Stmt[] }
  | {
      readonly kind: 'template';
      readonly template: Template;
      /** What its holes hold: an index for a local, a value for a constant. */
      readonly values: readonly (number | bigint)[];
    };

/** Code that was emitted once, to be put into many functions; made by `template.ts`. */
export interface Template {
  readonly bytes: Uint8Array;
  /** In the order of their places. */
  readonly relocations: readonly Relocation[];
}

/** What is written, or noted, in front of the byte at `at` when a template is used. */
export type Relocation = { readonly at: number } & (
  | { readonly kind: 'local' | 'constant'; readonly hole: number }
  /** A branch to a label that is open where the template is used, from so many blocks within. */
  | { readonly kind: 'label'; readonly label: Label; readonly depth: number }
  | { readonly kind: 'function'; readonly target: FunctionSignature }
  | { readonly kind: 'hint'; readonly likely: boolean }
);

/** Meaning of the names used by the instruction table. */
export interface Binding {
  operand(name: string): Expr;
  assign(name: string, value: Expr): readonly Stmt[];
  effect(name: string, args: readonly Expr[]): readonly Stmt[];
}

export function local<T extends ValueType>(type: T): Local<T> {
  return { kind: 'local', type };
}

export function label(): Label {
  return { kind: 'label' };
}

/** A value named by the instruction table; see the header. */
export function operand<T extends ValueType>(type: T, name: string): Expr<T> {
  return { kind: 'operand', type, name };
}

/** A value that differs from use to use of a template. */
export function hole<T extends 'i32' | 'i64'>(type: T, number: number): Expr<T> {
  return { kind: 'hole', type, hole: number };
}

export function global<T extends ValueType>(type: T, name: string): Expr<T> {
  return { kind: 'global', type, name };
}

export function call<T extends ValueType>(
  type: T,
  target: FunctionSignature,
  args: readonly Expr[],
): Expr<T> {
  return { kind: 'call', type, target, args };
}

export function callIndirect<T extends ValueType>(
  type: T,
  target: FunctionSignature,
  call: { readonly index: Expr<'i32'>; readonly args: readonly Expr[] },
): Expr<T> {
  return { kind: 'call-indirect', type, target, ...call };
}

export function tee<T extends ValueType>(target: Local<T>, value: Expr<T>): Expr<T> {
  return { kind: 'tee', type: target.type, local: target, value };
}

/** Both arms are evaluated; use `choose` where an arm may trap or has effects. */
export function select<T extends ValueType>(
  condition: Expr<'i32'>,
  a: Expr<T>,
  b: Expr<T>,
): Expr<T> {
  return { kind: 'select', type: a.type, a, b, condition };
}

/** Only the chosen arm is evaluated. */
export function choose<T extends ValueType>(
  condition: Expr<'i32'>,
  then: Expr<T>,
  otherwise: Expr<T>,
  hint: BranchHint = 'none',
): Expr<T> {
  return { kind: 'choose', type: then.type, condition, then, otherwise, hint };
}

export function set<T extends ValueType>(target: Local<T>, value: Expr<T>): Stmt {
  return { kind: 'set', local: target, value };
}

export function setGlobal(name: string, value: Expr): Stmt {
  return { kind: 'set-global', name, value };
}

export function when(
  condition: Expr<'i32'>,
  then: readonly Stmt[],
  otherwise: readonly Stmt[] = [],
  hint: BranchHint = 'none',
): Stmt {
  return { kind: 'if', condition, then, otherwise, hint };
}

export function unlikely(condition: Expr<'i32'>, then: readonly Stmt[]): Stmt {
  return when(condition, then, [], 'unlikely');
}

export function block(target: Label, body: readonly Stmt[]): Stmt {
  return { kind: 'block', label: target, body };
}

export function loop(target: Label, body: readonly Stmt[]): Stmt {
  return { kind: 'loop', label: target, body };
}

export function br(target: Label): Stmt {
  return { kind: 'br', label: target };
}

export function brIf(target: Label, condition: Expr<'i32'>, hint: BranchHint = 'none'): Stmt {
  return { kind: 'br-if', label: target, condition, hint };
}

/**
 * Runs `cases[index]`, or `otherwise` where that is null and beyond the last; control then
 * continues behind it.
 */
export function branchTable(
  index: Expr<'i32'>,
  cases: readonly (readonly Stmt[] | null)[],
  otherwise: readonly Stmt[],
): Stmt {
  return { kind: 'switch', index, cases, otherwise };
}

export function ret(value: Expr | null = null): Stmt {
  return { kind: 'return', value };
}

export function callVoid(target: FunctionSignature, args: readonly Expr[]): Stmt {
  return { kind: 'call', target, args };
}

export function drop(value: Expr): Stmt {
  return { kind: 'drop', value };
}

export function assign(name: string, value: Expr): Stmt {
  return { kind: 'assign', operand: name, value };
}

/** An action named by the instruction table, such as "jump"; the binding gives its meaning. */
export function effect(name: string, args: readonly Expr[] = []): Stmt {
  return { kind: 'effect', name, args };
}

/** Statements whose names mean what `binding` says. */
export function bound(binding: Binding, body: readonly Stmt[]): Stmt {
  return { kind: 'bound', binding, body };
}

export function useTemplate(template: Template, values: readonly (number | bigint)[]): Stmt {
  return { kind: 'template', template, values };
}

export const UNREACHABLE: Stmt = { kind: 'unreachable' };
