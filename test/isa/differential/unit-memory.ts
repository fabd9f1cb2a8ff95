/**
 * Random units that reach memory: loads and stores of every width, aligned or not, across the
 * page boundary or not, through the stack pointer's short forms, to addresses that do not exist;
 * and the atomic operations.
 *
 * A store-conditional stands only directly behind its load-reserved or where no reservation can
 * be, since what else keeps or breaks a reservation is up to the implementation.
 */

import {
  anyDestination,
  anySource,
  fixed,
  realDestination,
  shortDestination,
  type BlockContext,
  type Instruction,
  type Unit,
} from './context.js';
import * as short from './compressed.js';
import {
  ATOMICS,
  iType,
  LOAD_RESERVED,
  LOADS,
  rType,
  sType,
  STORE_CONDITIONAL,
  STORES,
  uType,
} from './encode.js';

const FLOAT_LOAD = 0x07;
const FLOAT_STORE = 0x27;
const ATOMIC = 0x2f;
/** Offsets stay so far inside the scratch area that eight bytes and a skewed pointer fit. */
const REACH = 2000;

export function memoryUnit(context: BlockContext): Unit {
  switch (context.random.below(24)) {
    case 0:
      return missingMemory(context);
    case 1:
    case 2:
    case 3:
    case 4:
    case 5:
      return [compressedAccess(context)];
    case 6:
    case 7:
    case 8:
      return [compressedStackAccess(context)];
    default:
      return [access(context, context.pointer, randomOffset(context))];
  }
}

function randomOffset({ random }: BlockContext): number {
  // Near the middle the access may cross into the next page.
  return random.oneIn(3) ? random.between(-8, 8) : random.between(-REACH, REACH);
}

function access(context: BlockContext, base: number, offset: number): Instruction {
  const { random } = context;
  if (random.oneIn(2)) {
    const [name, opcode, funct3] = random.pick(LOADS);
    const isFloat = opcode === FLOAT_LOAD;
    const rd = isFloat ? random.below(32) : anyDestination(context);
    const text = `${name} ${isFloat ? 'f' : 'x'}${rd}, ${offset}(x${base})`;
    return fixed(text, iType(opcode, funct3, rd, base, offset));
  }
  const [name, opcode, funct3] = random.pick(STORES);
  const rs2 = anySource(context);
  const text = `${name} ${opcode === FLOAT_STORE ? 'f' : 'x'}${rs2}, ${offset}(x${base})`;
  return fixed(text, sType(opcode, funct3, base, rs2, offset));
}

/**
 * An address at the top of the address space, where nothing is: an access fault. Aligned, since
 * QEMU 7.2 reports another address than the instruction's where an access is not.
 */
function missingMemory(context: BlockContext): Unit {
  const base = realDestination(context);
  const page = 0xe0000 | context.random.below(0x10000);
  return [
    fixed(`lui x${base}, 0x${page.toString(16)}`, uType(0x37, base, page)),
    access(context, base, 8 * context.random.between(-8, 8)),
  ];
}

function compressedAccess(context: BlockContext): Instruction {
  const { random, pointer } = context;
  const rd = shortDestination(context);
  const data = random.between(8, 15);
  const word = 4 * random.below(32);
  const double = 8 * random.below(32);
  const at = (offset: number): string => `${offset}(x${pointer})`;
  switch (random.below(6)) {
    case 0:
      return fixed(`c.lw x${rd}, ${at(word)}`, short.cLw(rd, pointer, word));
    case 1:
      return fixed(`c.sw x${data}, ${at(word)}`, short.cSw(data, pointer, word));
    case 2:
      return fixed(`c.ld x${rd}, ${at(double)}`, short.cLd(rd, pointer, double));
    case 3:
      return fixed(`c.sd x${data}, ${at(double)}`, short.cSd(data, pointer, double));
    case 4:
      return fixed(`c.fld f${data}, ${at(double)}`, short.cFld(data, pointer, double));
    default:
      return fixed(`c.fsd f${data}, ${at(double)}`, short.cFsd(data, pointer, double));
  }
}

function compressedStackAccess(context: BlockContext): Instruction {
  const { random } = context;
  const rd = realDestination(context);
  const data = random.below(32);
  const word = 4 * random.below(64);
  const double = 8 * random.below(64);
  switch (random.below(6)) {
    case 0:
      return fixed(`c.lwsp x${rd}, ${word}(sp)`, short.cLwsp(rd, word));
    case 1:
      return fixed(`c.ldsp x${rd}, ${double}(sp)`, short.cLdsp(rd, double));
    case 2:
      return fixed(`c.fldsp f${data}, ${double}(sp)`, short.cFldsp(data, double));
    case 3:
      return fixed(`c.swsp x${data}, ${word}(sp)`, short.cSwsp(data, word));
    case 4:
      return fixed(`c.sdsp x${data}, ${double}(sp)`, short.cSdsp(data, double));
    default:
      return fixed(`c.fsdsp f${data}, ${double}(sp)`, short.cFsdsp(data, double));
  }
}

export function atomicUnit(context: BlockContext): Unit {
  const { random, pointer, pointerSkew } = context;
  const isDouble = random.oneIn(2);
  const width = isDouble ? 8 : 4;
  const address = realDestination(context);
  const aligned = width * random.between(-200, 200);
  const isReserved = random.oneIn(3);
  // Always aligned: QEMU 7.2 gives the wrong cause for a misaligned one, which has its own test.
  const offset = aligned - pointerSkew;
  const setup = fixed(
    `addi x${address}, x${pointer}, ${offset}`,
    iType(0x13, 0, address, pointer, offset),
  );
  if (isReserved) return [setup, ...reservedPair(context, address, isDouble)];
  const [name, funct5] = random.pick(ATOMICS);
  return [setup, atomic(context, { name, funct5, isDouble, address, rs2: anySource(context) })];
}

interface Atomic {
  readonly name: string;
  readonly funct5: number;
  readonly isDouble: boolean;
  readonly address: number;
  readonly rs2: number;
  readonly rd?: number;
}

function atomic(context: BlockContext, operation: Atomic): Instruction {
  const { name, funct5, isDouble, address, rs2 } = operation;
  const rd = operation.rd ?? anyDestination(context);
  const ordering = context.random.below(4);
  const suffix = `${isDouble ? '.d' : '.w'}${['', '.rl', '.aq', '.aqrl'][ordering]}`;
  const text = `${name}${suffix} x${rd}, x${rs2}, (x${address})`;
  const funct3 = isDouble ? 3 : 2;
  return fixed(text, rType(ATOMIC, funct3, (funct5 << 2) | ordering, rd, address, rs2));
}

/** lr and sc, perhaps arithmetic between them, perhaps a second sc that must fail. */
function reservedPair(context: BlockContext, address: number, isDouble: boolean): Unit {
  const { random } = context;
  const otherDestination = (): number => {
    for (;;) {
      const rd = anyDestination(context);
      if (rd !== address) return rd;
    }
  };
  const load = { name: 'lr', funct5: LOAD_RESERVED, isDouble, address, rs2: 0 };
  const store = { name: 'sc', funct5: STORE_CONDITIONAL, isDouble, address };
  const unit: Instruction[] = [atomic(context, { ...load, rd: otherDestination() })];
  if (random.oneIn(2)) {
    const rd = otherDestination();
    const rs1 = anySource(context);
    unit.push(fixed(`addi x${rd}, x${rs1}, 1`, iType(0x13, 0, rd, rs1, 1)));
  }
  unit.push(atomic(context, { ...store, rs2: anySource(context), rd: otherDestination() }));
  if (random.oneIn(3)) unit.push(atomic(context, { ...store, rs2: anySource(context) }));
  return unit;
}
