/**
 * The code of single instructions for compiled regions, emitted once for each shape: the row of the
 * table with what else decides its form. All else is left open, and filled in for each use.
 */

import { present } from '../base/assert.js';
import {
  bound,
  useTemplate,
  type FunctionSignature,
  type Stmt,
  type Template,
} from '../wasm/ir.js';
import { emitTemplate } from '../wasm/template.js';
import type { Decoded } from '../riscv/decode.js';
import { FLAGS_GLOBAL } from '../riscv/float/format.js';
import type { FrameAddresses } from '../riscv/semantics/access-frame.js';
import { isMemoryAccess } from '../riscv/disassemble.js';
import { INSTRUCTIONS, type Instruction } from '../riscv/table/index.js';
import { nativeFloat } from './float-path.js';
import { REGISTER_HOLES, RegionBinding, RegionFrame, type FloatCheck } from './region-frame.js';
import { FIXED_LOCALS, type RegionLocals } from './region-locals.js';
import type { RegionInstruction } from './region.js';

export interface InstructionTemplate {
  readonly template: Template;
  /** What is known of the FPU behind it. */
  readonly floatCheck: FloatCheck;
  /** Functions outside that it calls. */
  readonly callees: readonly FunctionSignature[];
}

const FLOAT_CHECKS: readonly FloatCheck[] = ['nothing', 'readable', 'usable'];

/** Number of a row for keys. */
const ROWS: ReadonlyMap<Instruction, number> = new Map(
  INSTRUCTIONS.map((instruction, index) => [instruction, index]),
);

export class InstructionTemplates {
  readonly address: FrameAddresses;
  readonly counting: boolean;
  private readonly byShape = new Map<number, InstructionTemplate>();

  /** `counting` is false where the budget is left out of the code. */
  constructor(address: FrameAddresses, counting = true) {
    this.address = address;
    this.counting = counting;
  }

  /**
   * The template for an instruction behind code that has looked at the FPU so; a load or store that
   * `remembers` has a page memo.
   */
  of(decoded: Decoded, floatCheck: FloatCheck, remembers: boolean): InstructionTemplate {
    const shape = shapeOf(decoded, floatCheck) * 2 + (remembers ? 1 : 0);
    let known = this.byShape.get(shape);
    if (known === undefined) {
      known = this.emit(decoded, floatCheck, remembers);
      this.byShape.set(shape, known);
    }
    return known;
  }

  private emit(decoded: Decoded, floatCheck: FloatCheck, remembers: boolean): InstructionTemplate {
    const { address, counting } = this;
    const frame = new RegionFrame(decoded, { address, counting, floatCheck, remembers });
    const exact = (): readonly Stmt[] => [
      bound(new RegionBinding(frame), decoded.instruction.semantics),
    ];
    const template = emitTemplate(nativeFloat(frame, exact) ?? exact(), {
      locals: FIXED_LOCALS,
      holes: REGISTER_HOLES,
      globals: [FLAGS_GLOBAL],
    });
    const callees = template.relocations.flatMap((relocation) =>
      relocation.kind === 'function' ? [relocation.target] : [],
    );
    return { template, floatCheck: frame.floatCheck, callees: [...new Set(callees)] };
  }
}

/** Whether a region may leave the instruction to the interpreter for what it accesses. */
export function mayBeLeftUndone(instruction: Instruction): boolean {
  return isMemoryAccess(instruction) || instruction.extension === 'A';
}

/** Everything of an instruction that `RegionFrame` and `nativeFloat` look at, as a number. */
function shapeOf(decoded: Decoded, floatCheck: FloatCheck): number {
  const { instruction, rd, rs1, rs2, rm, imm } = decoded;
  const { files } = instruction;
  const zeros =
    (isZero(files.rd, rd) ? 1 : 0) |
    (isZero(files.rs1, rs1) ? 2 : 0) |
    (isZero(files.rs2, rs2) ? 4 : 0) |
    (imm === 0 ? 8 : 0);
  const row = present(ROWS.get(instruction), 'row of the table');
  return (((row * FLOAT_CHECKS.length + FLOAT_CHECKS.indexOf(floatCheck)) * 8 + rm) << 4) | zeros;
}

const isZero = (file: 'x' | 'f' | '-', number: number): boolean => file === 'x' && number === 0;

/**
 * The instruction's code. `owed` are the steps before it that the budget was not lowered by,
 * `undone` what the region returns if it leaves the instruction to the interpreter.
 */
export function useInstruction(
  { template }: InstructionTemplate,
  entry: RegionInstruction,
  at: { readonly owed: number; readonly undone: number; readonly locals: RegionLocals },
): Stmt {
  const { pc, decoded } = entry;
  const { instruction, rd, rs1, rs2, rs3, imm, bytes } = decoded;
  const { files, format } = instruction;
  const { locals, owed, undone } = at;
  const place = BigInt.asIntN(64, pc);
  return useTemplate(template, [
    locals.index(files.rs1, rs1),
    locals.index(files.rs2, rs2),
    format === 'R4' ? locals.index('f', rs3) : -1,
    locals.index(files.rd, rd),
    imm,
    ...places(place, bytes),
    owed,
    undone,
    locals.memo(entry),
  ]);
}

/** Where the instruction is and where the next one is; exact as numbers almost always. */
function places(pc: bigint, bytes: number): readonly [number | bigint, number | bigint] {
  const near = Number(pc);
  return Number.isSafeInteger(near) && Number.isSafeInteger(near + bytes)
    ? [near, near + bytes]
    : [pc, pc + BigInt(bytes)];
}
