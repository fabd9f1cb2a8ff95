/**
 * Templates: statements that are emitted once and used in many functions.
 *
 * A template is what object files hold: bytes, and relocations for what differs from use to use.
 * A user puts it into a function as a statement, with a value for each hole. What is in front of
 * the holes is not looked at again, so a use costs little more than copying.
 */

import { FunctionEmitter } from './emit.js';
import { FunctionCode, type Resolver } from './function-code.js';
import type { Local, Relocation, Stmt, Template } from './ir.js';

/** Functions are relocations; types have no place in a template. */
const NOTHING: Resolver = {
  functionIndex: () => fail('a function by number'),
  globalIndex: () => fail('a global that is not named'),
  typeIndex: () => fail('an indirect call'),
};

function fail(what: string): never {
  throw new Error(`wasm template: ${what} can't be in a template`);
}

export interface TemplateContext {
  /** Locals that every function that uses the template has from index 0 on. */
  readonly locals: readonly Local[];
  /** Locals that differ from use to use, with the numbers of their holes. */
  readonly holes: ReadonlyMap<Local, number>;
  /** Globals that every module that uses it has from index 0 on. */
  readonly globals: readonly string[];
}

/**
 * Emits statements that use no other locals than those of the context. Control must leave them at
 * their end, or by a branch to a label that is open where they are used.
 */
export function emitTemplate(body: readonly Stmt[], context: TemplateContext): Template {
  const relocations: Relocation[] = [];
  const resolver: Resolver = {
    ...NOTHING,
    globalIndex: (name) => {
      const index = context.globals.indexOf(name);
      return index < 0 ? NOTHING.globalIndex(name) : index;
    },
  };
  const open = { locals: context.holes, relocations };
  const code = new FunctionCode(resolver, context.locals, { open });
  new FunctionEmitter(code).statements(body);
  if (code.localCount > context.locals.length) fail('a local of its own');
  return { bytes: code.soFar(), relocations };
}
