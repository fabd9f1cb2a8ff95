/**
 * A random block: a machine state to start from and a list of units to run.
 *
 * A unit is an instruction, or a few that only make sense together (an address computed for an
 * atomic operation). Branches go forward, to the start of a later unit or to the end, so every
 * block ends; memory is reached only through two registers that point into the scratch area and
 * are never written otherwise. The units themselves come from `unit-*.ts`.
 */

import {
  SCRATCH_MIDDLE,
  STACK_BELOW_MIDDLE,
  STACK_POINTER,
  type BlockContext,
  type Unit,
} from './context.js';
import { hasPlainMemory, mayReadCode, PLAIN, type Environment } from './environment.js';
import { Random } from './random.js';
import { randomFloatRegister, randomInteger } from './operand.js';
import { controlUnit } from './unit-control.js';
import { floatUnit } from './unit-float.js';
import { compressedUnit, integerUnit } from './unit-integer.js';
import { atomicUnit, memoryUnit } from './unit-memory.js';

export interface BlockState {
  /** 32 registers, the first 0. */
  readonly integer: readonly bigint[];
  readonly float: readonly bigint[];
  readonly fcsr: number;
}

export interface Block {
  readonly seed: number;
  readonly state: BlockState;
  readonly environment: Environment;
  readonly units: readonly Unit[];
}

export function makeBlock(
  seed: number,
  unitCount: number,
  environment: Environment = PLAIN,
): Block {
  const random = new Random(seed);
  const pointer = random.between(8, 15);
  const pointerSkew = random.oneIn(4) ? random.below(16) : 0;
  const stackSkew = random.oneIn(4) ? random.below(16) : 0;
  const state = randomState(random);
  const integer = [...state.integer];
  integer[STACK_POINTER] = BigInt(SCRATCH_MIDDLE - STACK_BELOW_MIDDLE + stackSkew);
  integer[pointer] = BigInt(SCRATCH_MIDDLE + pointerSkew);

  const context: BlockContext = {
    random,
    pointer,
    pointerSkew,
    hasAtomics: hasPlainMemory(environment),
    hasPatches: mayReadCode(environment),
    unit: 0,
    unitCount,
  };
  const units: Unit[] = [];
  for (; context.unit < unitCount; context.unit++) units.push(randomUnit(context));
  return { seed, state: { ...state, integer }, environment, units };
}

/** The same code from other states, the block itself first; pointers stay what they are. */
export function fromOtherStates(block: Block, count: number): Block[] {
  const random = new Random(block.seed ^ 0x57a7e);
  const others = Array.from({ length: count - 1 }, () => {
    const state = randomState(random);
    const integer = state.integer.map((value, register) => {
      const known = block.state.integer[register] ?? 0n;
      return isPointer(known) ? known : value;
    });
    return { ...block, state: { ...state, integer } };
  });
  return [block, ...others];
}

function isPointer(value: bigint): boolean {
  const beyond = value - BigInt(SCRATCH_MIDDLE);
  return beyond >= -BigInt(STACK_BELOW_MIDDLE) && beyond < 16n;
}

function randomState(random: Random): BlockState {
  const integer = Array.from({ length: 32 }, () => randomInteger(random));
  integer[0] = 0n;
  const float = Array.from({ length: 32 }, () => randomFloatRegister(random));
  // Mostly a valid rounding mode; the others make every dynamic rounding a trap.
  const mode = random.oneIn(12) ? random.below(8) : random.below(5);
  return { integer, float, fcsr: (mode << 5) | random.below(32) };
}

function randomUnit(context: BlockContext): Unit {
  const dice = context.random.below(100);
  if (dice < 25) return integerUnit(context);
  if (dice < 40) return compressedUnit(context);
  if (dice < 55) return memoryUnit(context);
  if (dice < 60 && context.hasAtomics) return atomicUnit(context);
  if (dice < 92) return floatUnit(context);
  return controlUnit(context);
}
