/**
 * Gives a region's graph the nested form that WebAssembly wants: blocks in an order in which all
 * branches go forward, except to the heads of loops.
 *
 * Strongly connected components become loops; a component that the code goes to at several places
 * gets all of them as heads, between which a dispatcher at the top of the loop chooses. Within a
 * loop the heads are taken out and the rest is structured the same way. An entry of the region that
 * is no head of the loop around it is passed on to by the same dispatcher, so that loops keep their
 * nesting wherever the region is entered: V8 allocates registers by it.
 */

import { present } from '../base/assert.js';
import { successors, type Region } from './region.js';

/** A node is entered at its `doors`: heads first, then entries of the region further inside. */
export type Node =
  | { readonly kind: 'block'; readonly pc: bigint; readonly doors: readonly bigint[] }
  | {
      readonly kind: 'loop';
      readonly heads: readonly bigint[];
      readonly doors: readonly bigint[];
      readonly body: readonly Node[];
    };

export interface Structure {
  readonly nodes: readonly Node[];
  /** Blocks at which the budget is checked: entries and heads of loops. */
  readonly checkpoints: ReadonlySet<bigint>;
}

interface Graph {
  readonly next: ReadonlyMap<bigint, readonly bigint[]>;
  readonly previous: ReadonlyMap<bigint, readonly bigint[]>;
  readonly entries: ReadonlySet<bigint>;
}

export function structureRegion(region: Region): Structure {
  const next = new Map<bigint, readonly bigint[]>();
  const previous = new Map<bigint, bigint[]>();
  for (const pc of region.blocks.keys()) previous.set(pc, []);
  for (const [pc, block] of region.blocks) {
    const targets = successors(block, region);
    next.set(pc, targets);
    for (const target of targets) present(previous.get(target), 'block').push(pc);
  }
  const graph: Graph = { next, previous, entries: new Set(region.entries) };
  const checkpoints = new Set(region.entries);
  const nodes = nest([...region.blocks.keys()], new Set(), { graph, checkpoints });
  return { nodes, checkpoints };
}

interface Nesting {
  readonly graph: Graph;
  readonly checkpoints: Set<bigint>;
}

/** `heads` are the heads of the loops around: edges to them go backward and do not count. */
function nest(
  members: readonly bigint[],
  heads: ReadonlySet<bigint>,
  nesting: Nesting,
): readonly Node[] {
  const { graph, checkpoints } = nesting;
  return components(members, heads, graph).map((component): Node => {
    const [first] = component;
    const only = component.length === 1 ? present(first, 'member of a component') : null;
    if (only !== null) {
      const loops = (graph.next.get(only) ?? []).includes(only) && !heads.has(only);
      if (!loops) return { kind: 'block', pc: only, doors: [only] };
    }
    const own = headsOf(component, graph);
    for (const head of own) checkpoints.add(head);
    const inner = component.filter((pc) => graph.entries.has(pc) && !own.includes(pc));
    const body = nest(component, new Set([...heads, ...own]), nesting);
    return { kind: 'loop', heads: own, doors: [...own, ...inner], body };
  });
}

/**
 * Where the code goes to a component from outside. One that it only leaves, for the region was met
 * in its middle, has the lowest address that is gone back to: where compilers put a loop's head.
 */
function headsOf(component: readonly bigint[], graph: Graph): readonly bigint[] {
  const inside = new Set(component);
  const from = (pc: bigint): readonly bigint[] => graph.previous.get(pc) ?? [];
  const heads = component.filter((pc) => from(pc).some((other) => !inside.has(other)));
  if (heads.length > 0) return heads;
  const targets = component.filter((pc) =>
    from(pc).some((other) => inside.has(other) && other >= pc),
  );
  const lowest = targets.reduce((low, pc) => (pc < low ? pc : low), present(targets[0], 'head'));
  return [lowest];
}

/** Strongly connected components in topological order (Tarjan, without recursion). */
function components(
  members: readonly bigint[],
  heads: ReadonlySet<bigint>,
  graph: Graph,
): readonly (readonly bigint[])[] {
  const inside = new Set(members);
  const index = new Map<bigint, number>();
  const low = new Map<bigint, number>();
  const stack: bigint[] = [];
  const onStack = new Set<bigint>();
  const result: bigint[][] = [];
  const targets = (pc: bigint): readonly bigint[] =>
    (graph.next.get(pc) ?? []).filter((to) => inside.has(to) && !heads.has(to));
  const open = (pc: bigint): { pc: bigint; rest: readonly bigint[]; at: number } => {
    index.set(pc, index.size);
    low.set(pc, index.size - 1);
    stack.push(pc);
    onStack.add(pc);
    return { pc, rest: targets(pc), at: 0 };
  };
  const lower = (pc: bigint, value: number): void => {
    low.set(pc, Math.min(low.get(pc) ?? value, value));
  };
  const close = (pc: bigint): void => {
    if (low.get(pc) !== index.get(pc)) return;
    const component: bigint[] = [];
    for (;;) {
      const member = present(stack.pop(), 'stack of a component');
      onStack.delete(member);
      component.push(member);
      if (member === pc) break;
    }
    result.push(component.reverse());
  };
  for (const root of members) {
    if (index.has(root)) continue;
    const calls = [open(root)];
    for (let top = calls.at(-1); top !== undefined; top = calls.at(-1)) {
      const target = top.rest[top.at++];
      if (target === undefined) {
        calls.pop();
        const caller = calls.at(-1);
        if (caller !== undefined) lower(caller.pc, low.get(top.pc) ?? 0);
        close(top.pc);
      } else if (!index.has(target)) {
        calls.push(open(target));
      } else if (onStack.has(target)) {
        lower(top.pc, index.get(target) ?? 0);
      }
    }
  }
  return result.reverse();
}

/**
 * The region, entered at the head of every loop, so that wherever the hart is in one it comes to an
 * entry within a round. Null for a region without loops.
 */
export function enterAtLoops(region: Region): Region | null {
  const { nodes } = structureRegion(region);
  const heads = nodes.flatMap(headsWithin);
  const [first] = heads;
  if (first === undefined) return null;
  const isInLoop = nodes.some((node) => node.kind === 'loop' && node.doors.includes(region.start));
  const others = region.entries.filter((pc) => pc !== region.start);
  const entries = [...new Set([...(isInLoop ? [] : [region.start]), ...heads, ...others])];
  return { ...region, start: present(entries[0], 'entry'), entries };
}

function headsWithin(node: Node): readonly bigint[] {
  return node.kind === 'block' ? [] : [...node.heads, ...node.body.flatMap(headsWithin)];
}
