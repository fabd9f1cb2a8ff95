/**
 * Random units of the F and D extensions: every operation in every rounding mode, with reserved
 * modes now and then, and the floating-point control registers.
 */

import { anyDestination, anySource, fixed, type BlockContext, type Unit } from './context.js';
import { FLOAT_CONVERSIONS, FLOAT_OPS, FUSED_OPS, iType, r4Type, rType } from './encode.js';

const OP_FP = 0x53;
const SYSTEM = 0x73;
const DYNAMIC = 7;
const MODES = ['rne', 'rtz', 'rdn', 'rup', 'rmm', 'reserved5', 'reserved6', 'dyn'];
const FORMATS = ['s', 'd'];
const FFLAGS = 1;
const FRM = 2;
const CONTROL_REGISTERS: readonly (readonly [string, number])[] = [
  ['fflags', FFLAGS],
  ['frm', FRM],
  ['fcsr', 3],
];

function randomMode({ random }: BlockContext): number {
  const dice = random.below(100);
  if (dice < 60) return DYNAMIC;
  return dice < 98 ? random.below(5) : random.between(5, 6);
}

export function floatUnit(context: BlockContext): Unit {
  const { random } = context;
  const dice = random.below(100);
  if (dice < 20) return fused(context);
  if (dice < 26) return conversion(context);
  if (dice < 32) return controlRegister(context);
  const operation = random.pick(FLOAT_OPS);
  const format = random.below(2);
  const mode = operation.funct3 === 'rm' ? randomMode(context) : operation.funct3;
  const rd = operation.destination === 'f' ? random.below(32) : anyDestination(context);
  const rs1 = anySource(context);
  const rs2 = operation.rs2 === 'register' ? anySource(context) : operation.rs2;
  const second = operation.rs2 === 'register' ? `, f${rs2}` : '';
  const rounding = operation.funct3 === 'rm' ? `, ${MODES[mode]}` : '';
  const text =
    `${operation.name}.${FORMATS[format]} ${operation.destination}${rd}, ` +
    `${operation.source}${rs1}${second}${rounding}`;
  return [fixed(text, rType(OP_FP, mode, operation.funct7 | format, rd, rs1, rs2))];
}

function fused(context: BlockContext): Unit {
  const { random } = context;
  const [name, opcode] = random.pick(FUSED_OPS);
  const format = random.below(2);
  const mode = randomMode(context);
  const rd = random.below(32);
  const sources = [random.below(32), random.below(32), random.below(32)] as const;
  const operands = sources.map((source) => `f${source}`).join(', ');
  const text = `${name}.${FORMATS[format]} f${rd}, ${operands}, ${MODES[mode]}`;
  return [fixed(text, r4Type(opcode, mode, format, rd, sources))];
}

function conversion(context: BlockContext): Unit {
  const { random } = context;
  const [name, funct7, rs2] = random.pick(FLOAT_CONVERSIONS);
  const mode = randomMode(context);
  const rd = random.below(32);
  const rs1 = random.below(32);
  const text = `${name} f${rd}, f${rs1}, ${MODES[mode]}`;
  return [fixed(text, rType(OP_FP, mode, funct7, rd, rs1, rs2))];
}

function controlRegister(context: BlockContext): Unit {
  const { random } = context;
  const [name, csr] = random.pick(CONTROL_REGISTERS);
  const funct3 = random.pick([1, 2, 3, 5, 6, 7]);
  const mnemonic = ['', 'csrrw', 'csrrs', 'csrrc', '', 'csrrwi', 'csrrsi', 'csrrci'][funct3];
  const rd = anyDestination(context);
  // Setting and clearing nothing is the read that does not write.
  const rs1 = random.oneIn(3) ? 0 : anySource(context);
  const source = funct3 < 4 ? `x${rs1}` : `${rs1}`;
  const access = fixed(
    `${mnemonic} x${rd}, ${name}, ${source}`,
    iType(SYSTEM, funct3, rd, rs1, csr),
  );
  // A reserved mode would make the rest of the block a row of traps.
  if (csr === FFLAGS || random.oneIn(8)) return [access];
  const mode = random.below(5);
  return [access, fixed(`csrrwi x0, frm, ${mode}`, iType(SYSTEM, 5, 0, mode, FRM))];
}
