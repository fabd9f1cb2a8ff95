/**
 * Compiles a region to a WebAssembly module with one function.
 *
 *   (selector) -> result
 *   prologue: registers to locals
 *   loop top: dispatch on the entry selector; structured blocks; an indirect jump whose target is
 *             an entry of this very region comes back here with registers still in locals
 *   exit:     registers back to memory
 *
 * The budget is checked at checkpoints against the longest path to the next one, so that no path
 * can overrun it; the interpreter does the rest. Where it is lowered, `step-counts.ts` tells.
 */

import { present } from '../base/assert.js';
import {
  block,
  bound,
  br,
  branchTable,
  brIf,
  label,
  loop,
  ret,
  set,
  unlikely,
  UNREACHABLE,
  when,
  type Binding,
  type Expr,
  type FunctionSignature,
  type Label,
  type Stmt,
} from '../wasm/ir.js';
import { ModuleBuilder, type MemoryLimits } from '../wasm/module.js';
import { i32, i64 } from '../wasm/ops.js';
import { FLAGS_GLOBAL } from '../riscv/float/format.js';
import type { Decoded } from '../riscv/decode.js';
import { JUMP } from '../riscv/derived.js';
import { REGION_BYPASS, REGION_RELOAD, jumpOffset } from '../riscv/interpreter/compiled-entry.js';
import type { Block, Region } from './region.js';
import { useInstruction, type InstructionTemplates } from './instruction-templates.js';
import type { FloatCheck } from './region-frame.js';
import { EXIT, LOCALS, RegionLocals } from './region-locals.js';
import { longestPaths, owedSteps } from './step-counts.js';
import { NO_MEMOS, pageMemos } from './page-memos.js';
import { structureRegion, type Node } from './structure.js';
import { unrollLoops } from './unroll.js';

export const REGION_FUNCTION: FunctionSignature = {
  name: 'region',
  params: ['i32'],
  result: 'i32',
};

export interface CompiledRegion {
  readonly bytes: Uint8Array;
  /** Functions and globals that the module imports from `env`. */
  readonly imports: readonly string[];
  /** Steps that must be left for an entry to be worth entering, by entry pc. */
  readonly minimumBudget: ReadonlyMap<bigint, number>;
}

/** From so many entries on a table is faster than comparing one after the other. */
const TABLE_MIN = 4;

/** Where a branch to a block goes: a label, and a selector where several blocks share it. */
interface Target {
  readonly label: Label;
  readonly shared: boolean;
}

export function compileRegion(
  source: Region,
  options: {
    readonly templates: InstructionTemplates;
    readonly memory: MemoryLimits;
    /** This region's function number in the jump cache. */
    readonly functionIndex: number;
    /** Whether the code is worth more of it: small loops repeated, pages remembered. */
    readonly thorough: boolean;
  },
): CompiledRegion {
  const rolled = structureRegion(source);
  const region = options.thorough ? unrollLoops(source, rolled.nodes) : source;
  const structure = region === source ? rolled : structureRegion(region);
  const budgets = longestPaths(region, structure.checkpoints);
  const owed = owedSteps(region, structure.checkpoints);
  const memos = options.thorough ? pageMemos(region, structure.nodes) : NO_MEMOS;
  const locals = new RegionLocals(region, options.templates.address, memos);
  const emitter = new RegionEmitter(region, { ...options, locals, budgets, owed });
  const body = emitter.build(structure.nodes);
  const module = new ModuleBuilder(options.memory);
  for (const callee of emitter.callees.values()) module.importFunction(callee);
  module.relayImports();
  const globals = locals.hasFloats ? [FLAGS_GLOBAL] : [];
  for (const name of globals) module.importGlobal(name, 'i32');
  module.define(REGION_FUNCTION, [LOCALS.selector], body, {
    exported: true,
    declared: locals.declared,
  });
  return {
    bytes: module.finish(),
    imports: [...emitter.callees.keys(), ...globals],
    minimumBudget: new Map(
      region.entries.map((pc) => [pc, present(budgets.get(pc), 'budget of an entry')]),
    ),
  };
}

interface EmitterContext {
  readonly templates: InstructionTemplates;
  readonly locals: RegionLocals;
  readonly functionIndex: number;
  /** Steps by the pc of a block; see `step-counts.ts`. */
  readonly budgets: ReadonlyMap<bigint, number>;
  readonly owed: ReadonlyMap<bigint, number>;
}

class RegionEmitter {
  /** Functions outside that the code calls, by name. */
  readonly callees = new Map<string, FunctionSignature>();
  private readonly region: Region;
  private readonly context: EmitterContext;
  /** Number of each block for selectors; entries come first. */
  private readonly numbers = new Map<bigint, number>();
  private readonly targets = new Map<bigint, Target>();
  private readonly indirect = label();
  private readonly entries: ReadonlySet<bigint>;

  constructor(region: Region, context: EmitterContext) {
    this.region = region;
    this.context = context;
    this.entries = new Set(region.entries);
    for (const pc of [...region.entries, ...region.blocks.keys()]) {
      if (!this.numbers.has(pc)) this.numbers.set(pc, this.numbers.size);
    }
  }

  build(nodes: readonly Node[]): readonly Stmt[] {
    const { locals } = this.context;
    const top = label();
    const heads = this.region.entries.length > 1 || nodes[0]?.doors[0] !== this.region.start;
    const tree = this.sequence(nodes, heads ? this.region.entries : null);
    return [
      ...locals.prologue(),
      block(EXIT, [loop(top, [block(this.indirect, [...tree]), ...this.jumpIndirect(top)])]),
      ...locals.epilogue(),
      ret(LOCALS.result),
    ];
  }

  /**
   * Nodes in order, each reachable from those before it by a block that ends in front of it. With
   * `dispatch`, control arrives with a selector that names one of these blocks.
   */
  private sequence(nodes: readonly Node[], dispatch: readonly bigint[] | null): readonly Stmt[] {
    const labels = nodes.map((_, index) => (index > 0 || dispatch !== null ? label() : null));
    const outer = new Map<bigint, Target | undefined>();
    for (const [index, node] of nodes.entries()) {
      const target = labels[index];
      if (target === null || target === undefined) continue;
      for (const door of node.doors) {
        outer.set(door, this.targets.get(door));
        this.targets.set(door, { label: target, shared: node.doors.length > 1 });
      }
    }
    let built: Stmt[] = dispatch === null ? [] : [...this.dispatch(dispatch)];
    for (const [index, node] of nodes.entries()) {
      const target = labels[index];
      if (target !== null && target !== undefined) {
        built = [block(target, built)];
        for (const door of node.doors) this.restore(door, outer.get(door));
      }
      built.push(...this.node(node));
    }
    return built;
  }

  private restore(head: bigint, target: Target | undefined): void {
    if (target === undefined) this.targets.delete(head);
    else this.targets.set(head, target);
  }

  /** Chooses among the blocks by the selector. */
  private dispatch(heads: readonly bigint[]): readonly Stmt[] {
    const last = heads.length - 1;
    if (heads === this.region.entries && heads.length >= TABLE_MIN) {
      // Entries are numbered from 0 in this order.
      const cases = heads.map((head) => [br(this.labelOf(head))]);
      return [branchTable(LOCALS.selector, cases, [UNREACHABLE])];
    }
    return heads.map((head, index) => {
      const target = this.labelOf(head);
      if (index === last) return br(target);
      return brIf(target, i32.eq(LOCALS.selector, i32.const(this.numberOf(head))));
    });
  }

  private labelOf(head: bigint): Label {
    return present(this.targets.get(head), 'target of an entry').label;
  }

  private numberOf(pc: bigint): number {
    return present(this.numbers.get(pc), 'number of a block');
  }

  private node(node: Node): readonly Stmt[] {
    if (node.kind === 'block') {
      return this.block(present(this.region.blocks.get(node.pc), 'block'));
    }
    const again = label();
    const outer = node.heads.map((head) => [head, this.targets.get(head)] as const);
    const shared = node.doors.length > 1;
    for (const head of node.heads) this.targets.set(head, { label: again, shared });
    const body = this.sequence(node.body, shared ? node.doors : null);
    for (const [head, target] of outer) this.restore(head, target);
    return [loop(again, body)];
  }

  private block(blockOfCode: Block): readonly Stmt[] {
    const { templates, locals } = this.context;
    const statements: Stmt[] = this.check(blockOfCode.pc);
    let owed = this.owedAt(blockOfCode.pc);
    let floatCheck: FloatCheck = 'nothing';
    for (const [index, entry] of blockOfCode.instructions.entries()) {
      const { instruction, rd } = entry.decoded;
      if (!(instruction.pure && rd === 0)) {
        const found = templates.of(entry.decoded, floatCheck, locals.remembers(entry));
        for (const callee of found.callees) this.callees.set(callee.name, callee);
        const undone = index === 0 && this.entries.has(entry.pc) ? REGION_BYPASS : REGION_RELOAD;
        statements.push(useInstruction(found, entry, { owed, undone, locals }));
        floatCheck = found.floatCheck;
      }
      owed++;
    }
    statements.push(...this.terminate(blockOfCode));
    return statements;
  }

  private owedAt(pc: bigint): number {
    return present(this.context.owed.get(pc), 'steps that a block is owed');
  }

  /** At a checkpoint the budget must last until the next one. */
  private check(pc: bigint): Stmt[] {
    const needed = this.context.budgets.get(pc);
    if (needed === undefined || !this.context.templates.counting) return [];
    const isShort = i32.ltS(LOCALS.budget, i32.const(needed));
    return [unlikely(isShort, leaveFor(pc))];
  }

  /** Lowers the budget by steps that were done. */
  private settle(steps: number): readonly Stmt[] {
    if (!this.context.templates.counting || steps === 0) return [];
    return [set(LOCALS.budget, i32.sub(LOCALS.budget, i32.const(steps)))];
  }

  private terminate(blockOfCode: Block): readonly Stmt[] {
    const { end, instructions } = blockOfCode;
    const owed = this.owedAt(blockOfCode.pc) + instructions.length;
    switch (end.kind) {
      case 'indirect':
        return [...this.settle(owed), br(this.indirect)];
      case 'jump':
      case 'fall':
        return this.goTo(end.target, owed);
      case 'branch': {
        const last = present(instructions.at(-1), 'branch of a block');
        const taken = when(conditionOf(last.decoded), this.goTo(end.taken, owed));
        const binding = this.sourcesOf(last.decoded);
        return [bound(binding, [taken]), ...this.goTo(end.next, owed)];
      }
    }
  }

  /** Control to the block at `pc`, or out of the region, with so many steps owed. */
  private goTo(pc: bigint, owed: number): readonly Stmt[] {
    if (!this.region.blocks.has(pc)) {
      return [...this.settle(owed), ...leaveFor(pc)];
    }
    const target = present(this.targets.get(pc), 'target of a branch');
    const choose = target.shared ? [set(LOCALS.selector, i32.const(this.numberOf(pc)))] : [];
    return [...this.settle(owed - this.owedAt(pc)), ...choose, br(target.label)];
  }

  /** The sources of a branch, which are all that its condition names. */
  private sourcesOf({ rs1, rs2 }: Decoded): Binding {
    const { locals } = this.context;
    return {
      operand: (name) => locals.read(name === 'rs1' ? rs1 : rs2),
      assign: () => [],
      effect: () => [],
    };
  }

  /** An entry of this region is reached by the selector; anything else leaves. */
  private jumpIndirect(top: Label): readonly Stmt[] {
    const { entry, target, selector } = LOCALS;
    const { jumpCache } = this.context.templates.address;
    const hit = i32.and(
      i64.eq(i64.load(entry, jumpCache + JUMP.pc), target),
      i32.eq(i32.load(entry, jumpCache + JUMP.function), i32.const(this.context.functionIndex)),
    );
    return [
      set(entry, jumpOffset(target)),
      when(hit, [set(selector, i32.load(entry, jumpCache + JUMP.selector)), br(top)]),
    ];
  }
}

/** The region is left, and control goes on at `pc`. */
const leaveFor = (pc: bigint): Stmt[] => [set(LOCALS.target, i64.const(pc)), br(EXIT)];

function conditionOf({ instruction }: Decoded): Expr<'i32'> {
  for (const stmt of instruction.semantics) {
    if (stmt.kind === 'effect' && stmt.name === 'branch') return stmt.args[0] as Expr<'i32'>;
  }
  throw new Error('region: a branch without a condition');
}
