/**
 * Finds the region of guest code that is worth compiling around a hot place.
 *
 * A region is a set of basic blocks reached from its start along branches, direct jumps and direct
 * calls, over a few pages, and around instructions that the hart carries out itself. It may be
 * entered at its start, behind its calls and behind such instructions, and, if it jumps through a
 * register, at places of its pages that were jumped to often. Its code is valid while every page it
 * came from is mapped as it was; the compiler checks that.
 */

import type { Decoded } from '../riscv/decode.js';
import { flowOf } from '../riscv/table/index.js';

/** Instructions in one region. V8's optimizing compiler is super-linear in function size. */
export const REGION_INSTRUCTIONS_MAX = 400;
/** Pages that one region may come from. */
export const REGION_PAGES_MAX = 8;

export interface RegionInstruction {
  readonly pc: bigint;
  readonly decoded: Decoded;
}

/** How a block ends; `null` targets leave the region at that pc. */
export type Terminator =
  | { readonly kind: 'branch'; readonly taken: bigint; readonly next: bigint }
  | { readonly kind: 'jump'; readonly target: bigint }
  | { readonly kind: 'indirect' }
  /** Go on at `target` in the region, or leave there if it is not part of it. */
  | { readonly kind: 'fall'; readonly target: bigint };

export interface Block {
  readonly pc: bigint;
  readonly instructions: readonly RegionInstruction[];
  readonly end: Terminator;
}

export interface Region {
  readonly start: bigint;
  readonly blocks: ReadonlyMap<bigint, Block>;
  /** Where the region may be entered, the start first. */
  readonly entries: readonly bigint[];
  readonly instructionCount: number;
}

/** Decodes the instruction at a virtual address, or null where the region must end. */
export type Decoder = (pc: bigint) => Decoded | null;

/** What is known of the guest's code beside its bytes. */
export interface CodeProfile {
  /** Places that were jumped to often, on the pages that were decoded from so far. */
  readonly jumpTargets: () => readonly bigint[];
}

const NO_PROFILE: CodeProfile = { jumpTargets: () => [] };

type Found = ReadonlyMap<bigint, RegionInstruction>;

const isSystem = (decoded: Decoded): boolean => {
  const { extension } = decoded.instruction;
  return extension === 'Zicsr' || extension === 'Priv';
};

/** Control does not come back behind these. */
const isReturn = ({ instruction }: Decoded): boolean =>
  instruction.name === 'mret' || instruction.name === 'sret' || instruction.name === 'ebreak';

/** A jump or call through a register, but no return: `ra` and `t0` are the link registers. */
const isComputed = ({ instruction, rd, rs1 }: Decoded): boolean =>
  flowOf(instruction) === 'jump' && !(rd === 0 && (rs1 === 1 || rs1 === 5));

const after = (entry: RegionInstruction): bigint =>
  BigInt.asUintN(64, entry.pc + BigInt(entry.decoded.bytes));
const targetOf = (entry: RegionInstruction): bigint =>
  BigInt.asUintN(64, entry.pc + BigInt(entry.decoded.imm));

/** The region around `start`, or null if nothing there can be compiled. */
export function discoverRegion(
  start: bigint,
  decode: Decoder,
  profile: CodeProfile = NO_PROFILE,
): Region | null {
  const found = new Map<bigint, RegionInstruction>();
  const leaders = new Set([start]);
  const returnSites = new Set<bigint>();
  const search: Search = { found, leaders, returnSites, waiting: [start], decode };
  exploreAll(search);
  if ([...found.values()].some(({ decoded }) => isComputed(decoded))) {
    for (const target of profile.jumpTargets()) {
      if (found.has(target)) continue;
      returnSites.add(target);
      leaders.add(target);
      search.waiting.push(target);
    }
    exploreAll(search);
  }
  const blocks = new Map<bigint, Block>();
  for (const leader of leaders) {
    if (found.has(leader)) blocks.set(leader, cutBlock(leader, found, leaders));
  }
  if (!blocks.has(start)) return null;
  const entries = [start, ...[...returnSites].filter((pc) => pc !== start && blocks.has(pc))];
  return { start, blocks, entries, instructionCount: found.size };
}

interface Search {
  readonly found: Map<bigint, RegionInstruction>;
  readonly leaders: Set<bigint>;
  readonly returnSites: Set<bigint>;
  readonly waiting: bigint[];
  readonly decode: Decoder;
}

function exploreAll(search: Search): void {
  for (const leader of search.waiting) {
    if (search.found.size >= REGION_INSTRUCTIONS_MAX) break;
    explore(leader, search);
  }
}

/** Follows one straight run, noting where else control may go. */
function explore(leader: bigint, search: Search): void {
  let pc = leader;
  const reach = (target: bigint): void => {
    search.leaders.add(target);
    search.waiting.push(target);
  };
  while (!search.found.has(pc) && search.found.size < REGION_INSTRUCTIONS_MAX) {
    const decoded = search.decode(pc);
    if (decoded === null) return;
    const entry = { pc, decoded };
    if (isSystem(decoded)) {
      if (pc !== leader && !isReturn(decoded)) {
        search.returnSites.add(after(entry));
        reach(after(entry));
      }
      return;
    }
    search.found.set(pc, entry);
    const links = decoded.rd !== 0;
    switch (flowOf(decoded.instruction)) {
      case 'branch':
        reach(after(entry));
        reach(targetOf(entry));
        return;
      case 'jump-relative':
        reach(targetOf(entry));
        if (links) {
          search.returnSites.add(after(entry));
          reach(after(entry));
        }
        return;
      case 'jump':
        if (links) {
          search.returnSites.add(after(entry));
          reach(after(entry));
        }
        return;
      case 'none':
        pc = after(entry);
    }
  }
}

function cutBlock(leader: bigint, found: Found, leaders: ReadonlySet<bigint>): Block {
  const instructions: RegionInstruction[] = [];
  let pc = leader;
  for (;;) {
    const entry = found.get(pc);
    if (entry === undefined) return { pc: leader, instructions, end: { kind: 'fall', target: pc } };
    instructions.push(entry);
    const next = after(entry);
    switch (flowOf(entry.decoded.instruction)) {
      case 'branch':
        return {
          pc: leader,
          instructions,
          end: { kind: 'branch', taken: targetOf(entry), next },
        };
      case 'jump-relative':
        return { pc: leader, instructions, end: { kind: 'jump', target: targetOf(entry) } };
      case 'jump':
        return { pc: leader, instructions, end: { kind: 'indirect' } };
      case 'none':
        pc = next;
    }
    if (leaders.has(pc)) return { pc: leader, instructions, end: { kind: 'fall', target: pc } };
  }
}

/** Where the region's instructions are. */
export function regionCode(region: Region): readonly bigint[] {
  return [...region.blocks.values()].flatMap(({ instructions }) =>
    instructions.map(({ pc }) => pc),
  );
}

/** Blocks of the region that may follow `block`. */
export function successors(block: Block, region: Region): readonly bigint[] {
  const all =
    block.end.kind === 'branch'
      ? [block.end.taken, block.end.next]
      : block.end.kind === 'indirect'
        ? []
        : [block.end.target];
  return [...new Set(all)].filter((pc) => region.blocks.has(pc));
}
