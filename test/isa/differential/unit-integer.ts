/**
 * Random units of integer arithmetic: OP, OP-IMM, their 32-bit forms, LUI, AUIPC, M, and the
 * compressed arithmetic.
 */

import {
  anyDestination,
  anySource,
  fixed,
  realDestination,
  shortDestination,
  type BlockContext,
  type Unit,
} from './context.js';
import * as short from './compressed.js';
import { IMMEDIATE_OPS, iType, REGISTER_OPS, rType, SHIFT_OPS, uType } from './encode.js';
import type { Random } from './random.js';

export function integerUnit(context: BlockContext): Unit {
  const { random } = context;
  const rd = anyDestination(context);
  const rs1 = anySource(context);
  switch (random.below(8)) {
    case 0: {
      const [name, opcode, funct3] = random.pick(IMMEDIATE_OPS);
      const imm = randomImmediate(random);
      return [fixed(`${name} x${rd}, x${rs1}, ${imm}`, iType(opcode, funct3, rd, rs1, imm))];
    }
    case 1: {
      const [name, opcode, funct3, high, max] = random.pick(SHIFT_OPS);
      const amount = random.between(0, max);
      const word = iType(opcode, funct3, rd, rs1, high | amount);
      return [fixed(`${name} x${rd}, x${rs1}, ${amount}`, word)];
    }
    case 2: {
      const [name, opcode] = random.pick([['lui', 0x37] as const, ['auipc', 0x17] as const]);
      const imm = random.u32() >>> 12;
      return [fixed(`${name} x${rd}, 0x${imm.toString(16)}`, uType(opcode, rd, imm))];
    }
    default: {
      const [name, opcode, funct3, funct7] = random.pick(REGISTER_OPS);
      const rs2 = anySource(context);
      const word = rType(opcode, funct3, funct7, rd, rs1, rs2);
      return [fixed(`${name} x${rd}, x${rs1}, x${rs2}`, word)];
    }
  }
}

function randomImmediate(random: Random): number {
  return random.oneIn(3) ? random.pick([-2048, -1, 0, 1, 2047]) : random.between(-2048, 2047);
}

/** A six-bit signed number, not 0: with 0 some encodings are hints and some reserved. */
function smallImmediate(random: Random): number {
  const magnitude = random.between(1, 31);
  return random.oneIn(2) ? magnitude : -magnitude;
}

export function compressedUnit(context: BlockContext): Unit {
  const { random } = context;
  const rd = realDestination(context);
  const near = shortDestination(context);
  const imm = smallImmediate(random);
  switch (random.below(10)) {
    case 0:
      return [fixed(`c.addi x${rd}, ${imm}`, short.cAddi(rd, imm))];
    case 1:
      return [fixed(`c.addiw x${rd}, ${imm}`, short.cAddiw(rd, imm))];
    case 2:
      return [fixed(`c.li x${rd}, ${imm}`, short.cLi(rd, imm))];
    case 3:
      return [fixed(`c.lui x${rd}, ${imm}`, short.cLui(rd, imm))];
    case 4: {
      const amount = random.between(1, 63);
      return [fixed(`c.slli x${rd}, ${amount}`, short.cSlli(rd, amount))];
    }
    case 5: {
      const kind = random.below(3);
      const name = ['c.srli', 'c.srai', 'c.andi'][kind];
      const amount = kind === 2 ? imm : random.between(1, 63);
      const word = short.cArithmeticImmediate(kind, near, amount);
      return [fixed(`${name} x${near}, ${amount}`, word)];
    }
    case 6:
    case 7: {
      const kind = random.below(6);
      const name = ['c.sub', 'c.xor', 'c.or', 'c.and', 'c.subw', 'c.addw'][kind];
      const rs = random.between(8, 15);
      return [fixed(`${name} x${near}, x${rs}`, short.cArithmetic(kind, near, rs))];
    }
    case 8: {
      const rs = random.between(1, 31);
      return random.oneIn(2)
        ? [fixed(`c.mv x${rd}, x${rs}`, short.cMv(rd, rs))]
        : [fixed(`c.add x${rd}, x${rs}`, short.cAdd(rd, rs))];
    }
    default:
      return stackAdjustment(context, near);
  }
}

/** sp must point into the scratch area again when the unit is over. */
function stackAdjustment({ random }: BlockContext, near: number): Unit {
  if (random.oneIn(2)) {
    const imm = 4 * random.between(1, 255);
    return [fixed(`c.addi4spn x${near}, ${imm}`, short.cAddi4spn(near, imm))];
  }
  const imm = 16 * random.between(1, 31);
  return [
    fixed(`c.addi16sp ${imm}`, short.cAddi16sp(imm)),
    fixed(`c.mv x${near}, sp`, short.cMv(near, 2)),
    fixed(`c.addi16sp ${-imm}`, short.cAddi16sp(-imm)),
  ];
}
