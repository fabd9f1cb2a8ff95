/**
 * Random units that leave the straight line: branches, jumps with and without link in all
 * lengths, fences, code that changes itself, environment calls, breakpoints, and encodings that
 * must be refused.
 */

import {
  anyDestination,
  anySource,
  fixed,
  laterUnit,
  realDestination,
  type BlockContext,
  type Unit,
} from './context.js';
import * as short from './compressed.js';
import { BRANCHES, bType, iType, jal, rType, sType, uType } from './encode.js';

const AUIPC = 0x17;
const JALR = 0x67;

/** Encodings that no extension of the machine defines; the shortest possible ones included. */
const ILLEGAL: readonly number[] = [
  0x0000, // all zero
  0x2001, // c.addiw x0
  0x4002, // c.lwsp x0
  0x6002, // c.ldsp x0
  0x8002, // c.jr x0
  0x6081, // c.lui x1, 0
  0x6101, // c.addi16sp 0
  0x9c41, // reserved row beside c.subw and c.addw
  0x9c61,
  0x8000, // reserved in quadrant 0
  0x0000000b, // custom-0
  0x06000033, // OP with an unknown funct7
  0x0000203b, // OP-32 with an unknown funct3
  0x0200101b, // slliw by 32
  0x00007003, // LOAD of an unknown width
  0x00004023, // STORE of an unknown width
  0x00002063, // BRANCH with an unknown condition
  0x00001067, // JALR with funct3 1
  0x2800202f, // AMO with an unknown funct5
  0x0000002f, // AMO on a byte
  0x04000053, // OP-FP in half precision
  0x06000053, // OP-FP in quad precision
  0xffffffff,
  0x8ff02573, // csrr of a register that is not there
  0xc0001073, // csrw of a read-only register
];

export function controlUnit(context: BlockContext): Unit {
  const { random } = context;
  switch (random.below(13)) {
    case 0:
    case 1:
    case 2:
      return branch(context);
    case 3:
      return compressedBranch(context);
    case 4:
      return jump(context);
    case 5:
    case 6:
      return registerJump(context);
    case 7:
      return compressedRegisterJump(context);
    case 8:
      return [fence(context)];
    case 9:
      return context.hasPatches ? patchedCode(context) : [fence(context)];
    case 10:
      return [
        random.pick([
          fixed('ecall', 0x00000073),
          fixed('ebreak', 0x00100073),
          fixed('c.ebreak', short.C_EBREAK),
        ]),
      ];
    case 11: {
      const word = random.pick(ILLEGAL);
      return [fixed(`illegal 0x${word.toString(16)}`, word)];
    }
    default:
      return [fixed('c.nop', 0x0001)];
  }
}

function fence({ random }: BlockContext): ReturnType<typeof fixed> {
  if (random.oneIn(16)) return fixed('fence.i', 0x0000100f);
  const sets = random.below(256);
  return fixed(`fence 0x${sets.toString(16)}`, iType(0x0f, 0, 0, 0, sets));
}

/**
 * Code that changes itself: flips bits in the constant of an ADDI, FENCE.I, and runs it. Run
 * again, it flips them back. Where code may not be written it stays as it is.
 */
function patchedCode(context: BlockContext): Unit {
  const { random } = context;
  const base = realDestination(context);
  const word = otherThan(context, [base]);
  const flip = otherThan(context, [base, word]);
  const rd = anyDestination(context);
  const constant = random.below(0x800);
  const bits = random.between(1, 0xfff);
  // From the AUIPC to the ADDI: six instructions of four bytes.
  const distance = 24;
  return [
    fixed(`auipc x${base}, 0`, uType(AUIPC, base, 0)),
    fixed(`lw x${word}, ${distance}(x${base})`, iType(0x03, 2, word, base, distance)),
    fixed(`lui x${flip}, 0x${(bits << 8).toString(16)}`, uType(0x37, flip, bits << 8)),
    fixed(`xor x${word}, x${word}, x${flip}`, rType(0x33, 4, 0, word, word, flip)),
    fixed(`sw x${word}, ${distance}(x${base})`, sType(0x23, 2, base, word, distance)),
    fixed('fence.i', 0x0000100f),
    fixed(`addi x${rd}, x0, ${constant} (patched)`, iType(0x13, 0, rd, 0, constant)),
  ];
}

function otherThan(context: BlockContext, taken: readonly number[]): number {
  for (;;) {
    const register = realDestination(context);
    if (!taken.includes(register)) return register;
  }
}

function branch(context: BlockContext): Unit {
  const [name, funct3] = context.random.pick(BRANCHES);
  const rs1 = anySource(context);
  const rs2 = anySource(context);
  const target = laterUnit(context);
  return [
    {
      text: `${name} x${rs1}, x${rs2}, unit ${target}`,
      bytes: 4,
      encode: (distance) => bType(funct3, rs1, rs2, distance(target)),
    },
  ];
}

function compressedBranch(context: BlockContext): Unit {
  const { random } = context;
  const target = laterUnit(context);
  if (random.oneIn(3)) {
    const text = `c.j unit ${target}`;
    return [{ text, bytes: 2, encode: (distance) => short.cJ(distance(target)) }];
  }
  const rs = random.between(8, 15);
  const funct3 = random.between(6, 7);
  return [
    {
      text: `${funct3 === 6 ? 'c.beqz' : 'c.bnez'} x${rs}, unit ${target}`,
      bytes: 2,
      encode: (distance) => short.cBranch(funct3, rs, distance(target)),
    },
  ];
}

function jump(context: BlockContext): Unit {
  const rd = anyDestination(context);
  const target = laterUnit(context);
  const text = `jal x${rd}, unit ${target}`;
  return [{ text, bytes: 4, encode: (distance) => jal(rd, distance(target)) }];
}

/** auipc, jalr: the link may be the register jumped through; the lowest bit must be ignored. */
function registerJump(context: BlockContext): Unit {
  const base = realDestination(context);
  const rd = context.random.oneIn(4) ? base : anyDestination(context);
  const target = laterUnit(context);
  const odd = context.random.below(2);
  return [
    fixed(`auipc x${base}, 0`, uType(AUIPC, base, 0)),
    {
      text: `jalr x${rd}, x${base}, unit ${target}`,
      bytes: 4,
      encode: (distance) => iType(JALR, 0, rd, base, distance(target) + 4 + odd),
    },
  ];
}

function compressedRegisterJump(context: BlockContext): Unit {
  // c.jalr links x1, so that is not the register to lose the address in.
  const base = realDestination(context);
  const target = laterUnit(context);
  const links = context.random.oneIn(2);
  return [
    fixed(`auipc x${base}, 0`, uType(AUIPC, base, 0)),
    {
      text: `addi x${base}, x${base}, unit ${target}`,
      bytes: 4,
      encode: (distance) => iType(0x13, 0, base, base, distance(target) + 4),
    },
    fixed(`${links ? 'c.jalr' : 'c.jr'} x${base}`, links ? short.cJalr(base) : short.cJr(base)),
  ];
}
