/**
 * The instruction table as a whole: RV64GC with Zicsr, Zifencei and Zicboz. This file is the only
 * door to the folder.
 */

import { ATOMIC } from './atomic.js';
import { FLOAT } from './float.js';
import { INTEGER } from './integer.js';
import { SYSTEM } from './system.js';
import type { Instruction } from './instruction.js';

export { COMPRESSED, type CompressedInstruction, type Operands } from './compressed.js';
export {
  LOAD_KINDS,
  MULHU,
  flowOf,
  type Flow,
  type Format,
  type Instruction,
  type LoadKind,
} from './instruction.js';

export const INSTRUCTIONS: readonly Instruction[] = [...INTEGER, ...ATOMIC, ...FLOAT, ...SYSTEM];
