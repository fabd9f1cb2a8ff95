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
  type Expr,
  type FunctionSignature,
  type Label,
  type Stmt,
} from '../wasm/ir.js';
import { ModuleBuilder, type MemoryLimits } from '../wasm/module.js';
import { i32, i64 } from '../wasm/ops.js';
import { FLAGS_GLOBAL } from '../riscv/float/format.js';
import { JUMP } from '../riscv/derived.js';
import { jumpOffset } from '../riscv/interpreter/compiled-entry.js';
import { hartOffset } from '../riscv/hart-state.js';
import type { FrameAddresses } from '../riscv/semantics/access-frame.js';
import { calleesOf } from './callees.js';
import type { Block, Region } from './region.js';
import { nativeFloat } from './float-path.js';
import { RegionBinding, RegionFrame } from './region-frame.js';
import { longestPaths, owedSteps } from './step-counts.js';
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
    readonly addresses: FrameAddresses;
    readonly memory: MemoryLimits;
    /** Address of the jump cache, and this region's function number in it. */
    readonly jumpCache: number;
    readonly functionIndex: number;
    /** False leaves out the budget. */
    readonly counting: boolean;
    /** Whether small loops are repeated: more code, which counts less often. */
    readonly repeatLoops: boolean;
  },
): CompiledRegion {
  const rolled = structureRegion(source);
  const region = options.repeatLoops ? unrollLoops(source, rolled.nodes) : source;
  const structure = region === source ? rolled : structureRegion(region);
  const budgets = longestPaths(region, structure.checkpoints);
  const owed = owedSteps(region, structure.checkpoints);
  const frame = new RegionFrame(options.addresses, options.counting);
  const emitter = new RegionEmitter(region, frame, { budgets, owed });
  const body = emitter.build(structure.nodes, options);
  const module = new ModuleBuilder(options.memory);
  const callees = calleesOf(region);
  for (const callee of callees) module.importFunction(callee);
  module.relayImports();
  const globals = emitter.frame.usesFlags ? [FLAGS_GLOBAL] : [];
  for (const name of globals) module.importGlobal(name, 'i32');
  module.define(REGION_FUNCTION, [emitter.frame.selector], body, { exported: true });
  return {
    bytes: module.finish(),
    imports: [...callees.map((callee) => callee.name), ...globals],
    minimumBudget: new Map(
      region.entries.map((pc) => [pc, present(budgets.get(pc), 'budget of an entry')]),
    ),
  };
}

/** Steps by the pc of a block; see `step-counts.ts`. */
interface StepCounts {
  readonly budgets: ReadonlyMap<bigint, number>;
  readonly owed: ReadonlyMap<bigint, number>;
}

class RegionEmitter {
  readonly frame: RegionFrame;
  private readonly region: Region;
  private readonly counts: StepCounts;
  /** Number of each block for selectors; entries come first. */
  private readonly numbers = new Map<bigint, number>();
  private readonly targets = new Map<bigint, Target>();
  private readonly indirect = label();

  constructor(region: Region, frame: RegionFrame, counts: StepCounts) {
    this.region = region;
    this.counts = counts;
    this.frame = frame;
    for (const pc of [...region.entries, ...region.blocks.keys()]) {
      if (!this.numbers.has(pc)) this.numbers.set(pc, this.numbers.size);
    }
    for (const part of region.blocks.values()) {
      for (const entry of part.instructions) this.frame.useOperands(entry);
    }
  }

  build(
    nodes: readonly Node[],
    cache: { readonly jumpCache: number; readonly functionIndex: number },
  ): readonly Stmt[] {
    const { frame } = this;
    const top = label();
    const heads = this.region.entries.length > 1 || nodes[0]?.heads[0] !== this.region.start;
    const tree = this.sequence(nodes, heads ? this.region.entries : null);
    const code = [
      block(frame.exit, [
        loop(top, [block(this.indirect, [...tree]), ...this.jumpIndirect(top, cache)]),
      ]),
    ];
    // The prologue needs to know which registers the code uses: it is built last.
    return [...frame.prologue(), ...code, ...frame.epilogue(), ret(frame.result)];
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
      for (const head of node.heads) {
        outer.set(head, this.targets.get(head));
        this.targets.set(head, { label: target, shared: node.heads.length > 1 });
      }
    }
    let built: Stmt[] = dispatch === null ? [] : [...this.dispatch(dispatch)];
    for (const [index, node] of nodes.entries()) {
      const target = labels[index];
      if (target !== null && target !== undefined) {
        built = [block(target, built)];
        for (const head of node.heads) this.restore(head, outer.get(head));
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
    const { frame } = this;
    const last = heads.length - 1;
    if (heads === this.region.entries && heads.length >= TABLE_MIN) {
      // Entries are numbered from 0 in this order.
      const cases = heads.map((head) => [br(this.labelOf(head))]);
      return [branchTable(frame.selector, cases, [UNREACHABLE])];
    }
    return heads.map((head, index) => {
      const target = this.labelOf(head);
      if (index === last) return br(target);
      return brIf(target, i32.eq(frame.selector, i32.const(this.numberOf(head))));
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
    const shared = node.heads.length > 1;
    for (const head of node.heads) this.targets.set(head, { label: again, shared });
    const body = this.sequence(node.body, shared ? node.heads : null);
    for (const [head, target] of outer) this.restore(head, target);
    return [loop(again, body)];
  }

  private block(blockOfCode: Block): readonly Stmt[] {
    const { frame } = this;
    const owed = this.owedAt(blockOfCode.pc);
    frame.beginBlock();
    const statements: Stmt[] = frame.counting ? this.check(blockOfCode.pc) : [];
    for (const [index, entry] of blockOfCode.instructions.entries()) {
      const { instruction, rd } = entry.decoded;
      if (instruction.pure && rd === 0) continue;
      frame.moveTo({ entry, owed: owed + index });
      const exact = (): readonly Stmt[] =>
        expand(new RegionBinding(frame, entry), instruction.semantics);
      statements.push(...(nativeFloat(frame, entry, exact) ?? exact()));
    }
    statements.push(...this.terminate(blockOfCode));
    return statements;
  }

  private owedAt(pc: bigint): number {
    return present(this.counts.owed.get(pc), 'steps that a block is owed');
  }

  /** At a checkpoint the budget must last until the next one. */
  private check(pc: bigint): Stmt[] {
    const { frame } = this;
    const needed = this.counts.budgets.get(pc);
    if (needed === undefined) return [];
    const isShort = i32.ltS(frame.budget, i32.const(needed));
    return [unlikely(isShort, [frame.storePc(pc), br(frame.exit)])];
  }

  private terminate(blockOfCode: Block): readonly Stmt[] {
    const { end, instructions } = blockOfCode;
    const owed = this.owedAt(blockOfCode.pc) + instructions.length;
    switch (end.kind) {
      case 'indirect':
        return [...this.frame.settle(owed), br(this.indirect)];
      case 'jump':
      case 'fall':
        return this.goTo(end.target, owed);
      case 'branch': {
        const last = present(instructions.at(-1), 'branch of a block');
        const condition = conditionOf(last.decoded.instruction.semantics);
        const binding = new RegionBinding(this.frame, last);
        const taken = this.goTo(end.taken, owed);
        return [bound(binding, [when(condition, taken)]), ...this.goTo(end.next, owed)];
      }
    }
  }

  /** Control to the block at `pc`, or out of the region, with so many steps owed. */
  private goTo(pc: bigint, owed: number): readonly Stmt[] {
    const { frame } = this;
    if (!this.region.blocks.has(pc)) {
      return [...frame.settle(owed), frame.storePc(pc), br(frame.exit)];
    }
    const target = present(this.targets.get(pc), 'target of a branch');
    const choose = target.shared ? [set(frame.selector, i32.const(this.numberOf(pc)))] : [];
    return [...frame.settle(owed - this.owedAt(pc)), ...choose, br(target.label)];
  }

  /** An entry of this region is reached by the selector; anything else leaves. */
  private jumpIndirect(
    top: Label,
    cache: { readonly jumpCache: number; readonly functionIndex: number },
  ): readonly Stmt[] {
    const { frame } = this;
    const { jumpCache, functionIndex } = cache;
    const hit = i32.and(
      i64.eq(i64.load(frame.entry, jumpCache + JUMP.pc), frame.target),
      i32.eq(i32.load(frame.entry, jumpCache + JUMP.function), i32.const(functionIndex)),
    );
    const selector = i32.load(frame.entry, jumpCache + JUMP.selector);
    const store = i64.store(i32.const(0), frame.target, frame.address.hart + hartOffset('pc'));
    return [
      set(frame.entry, jumpOffset(frame.target)),
      when(hit, [set(frame.selector, selector), br(top)]),
      store,
    ];
  }
}

/** Names are given meaning statement by statement, so that registers are known to the frame. */
function expand(binding: RegionBinding, semantics: readonly Stmt[]): readonly Stmt[] {
  return semantics.flatMap((stmt): readonly Stmt[] => {
    if (stmt.kind === 'effect') {
      return [bound(binding, binding.effect(stmt.name, stmt.args))];
    }
    if (stmt.kind === 'assign') return [bound(binding, binding.assign(stmt.operand, stmt.value))];
    return [bound(binding, [stmt])];
  });
}

function conditionOf(semantics: readonly Stmt[]): Expr<'i32'> {
  for (const stmt of semantics) {
    if (stmt.kind === 'effect' && stmt.name === 'branch') return stmt.args[0] as Expr<'i32'>;
  }
  throw new Error('region: a branch without a condition');
}
